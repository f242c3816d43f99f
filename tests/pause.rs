//! Pause: how a future is stopped for a while, as SIGSTOP does a process.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Stops and resumes what runs under it. Clones share it.
#[derive(Clone, Default)]
pub struct Pause(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    paused: bool,
    /// Whom to wake when it goes on.
    waker: Option<Waker>,
}

impl Pause {
    pub fn set(&self, paused: bool) {
        let mut state = self.state();
        state.paused = paused;
        if !paused && let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// `inner`, which does nothing while this is set.
    pub fn over<F: Future>(&self, inner: F) -> Pausable<F> {
        Pausable {
            inner: Box::pin(inner),
            pause: self.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A future that can be paused.
pub struct Pausable<F> {
    inner: Pin<Box<F>>,
    pause: Pause,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut state = self.pause.state();
            if state.paused {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        self.inner.as_mut().poll(cx)
    }
}
