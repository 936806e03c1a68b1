//! The signals that stop a container. They are waited for by one thread and blocked in all others, because the kernel
//! drops a signal for the first process of a container that neither blocks nor handles it.

use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// Begins to wait for a signal that stops the program. It has to be called before there is another thread.
pub(super) fn watch() -> nix::Result<Receiver<Signal>> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
        signals.add(signal);
    }
    signals.thread_block()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || signals.wait().map(|signal| sender.send(signal)));
    Ok(receiver)
}
