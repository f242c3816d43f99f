//! The command `evenkeel demo`: a tour on this machine alone, or a model of AWS to play with.

use std::net::SocketAddr;

use anstream::AutoStream;
use tokio::signal::unix::{SignalKind, signal};

use super::stage::{ACCESS_KEY, OTHERS_KEY, REGION, SECRET_KEY, Served};
use super::tour;
use super::voice::Voice;
use crate::clock::Clock;
use crate::entropy::Entropy;

/// Where `--serve` listens when nothing else is said.
const LISTEN: &str = "127.0.0.1:4510";
/// The same seed gives the same ids at every start.
const SEED: u64 = 7;

/// What `demo` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Keep the model of AWS up, out of order as at the start of the tour, and say how to point
    /// evenkeel and aws at it. Ends with Ctrl-C.
    #[arg(long)]
    pub serve: bool,
    /// Where to listen with --serve. The model asks nobody who they are: keep it on loopback.
    #[arg(long, value_name = "ADDR", requires = "serve", default_value = LISTEN)]
    pub listen: SocketAddr,
}

/// Takes the tour, or serves.
///
/// # Errors
/// Anything on the tour that did not come out as it should have.
pub async fn run(args: &DemoArgs) -> anyhow::Result<()> {
    let clock = Clock::system();
    let voice = Voice::new(Box::new(AutoStream::auto(std::io::stdout())));
    if !args.serve {
        tour::take(&voice, &clock, &Entropy::system()).await?;
        return voice.finish();
    }
    let served = Served::start(args.listen, clock, SEED).await?;
    voice.raw(&invitation(&served.url()));
    voice.finish()?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    served.stop().await
}

fn invitation(url: &str) -> String {
    format!(
        "A model of AWS listens on {url},\n\
         with both applications out of order. It forgets everything when it ends\n\
         (Ctrl-C). In another terminal:\n\
         \n\
         export AWS_ENDPOINT_URL={url}\n\
         export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}\n\
         export AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY}\n\
         \n\
         evenkeel plan desired-state\n\
         evenkeel apply desired-state\n\
         aws ecs describe-services --cluster SemiontCluster --services semiont-backend\n\
         aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName'\n\
         \n\
         Whoever calls with AWS_ACCESS_KEY_ID={OTHERS_KEY} is another user, whom\n\
         evenkeel report names. docs/walkthrough.md leads through a day of it.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::layout::WIDTH;

    #[test]
    fn the_invitation_fits_a_terminal() {
        for line in invitation("http://127.0.0.1:65535").lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
