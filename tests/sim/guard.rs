//! Guard: a panic in a task of a run is a broken law. The runtime would keep it to itself, and the
//! run would go on as after a crash.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::stage::Stage;

/// A task whose panic breaks S30. It stands still then, until the run ends.
pub struct Guarded {
    inner: Pin<Box<dyn Future<Output = ()>>>,
    stage: Stage,
}

impl Guarded {
    pub fn new(stage: &Stage, inner: impl Future<Output = ()> + 'static) -> Self {
        Self {
            inner: Box::pin(inner),
            stage: stage.clone(),
        }
    }
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inner = self.inner.as_mut();
        match catch_unwind(AssertUnwindSafe(|| inner.poll(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.stage.break_law("S30", said(&*panic));
                Poll::Pending
            }
        }
    }
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a panic: {}", text.unwrap_or_default())
}
