//! The channels that a server opens to a forwarded agent.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use libssh2_sys as raw;
use ssh2::Session;

use super::channel::Channel;
use super::ffi;

/// Where the channels arrive that a server opens to a forwarded agent. Without one, libssh2 refuses them.
pub(crate) struct AgentChannels {
    session: Session,
    /// A box of ours that libssh2 has a pointer to.
    arrived: NonNull<Arrived>,
}

type Arrived = Vec<NonNull<raw::LIBSSH2_CHANNEL>>;

impl AgentChannels {
    /// Accepts such channels on `session` from now on.
    pub(crate) fn accept(session: &Session) -> AgentChannels {
        let arrived = NonNull::from(Box::leak(Box::new(Arrived::new())));
        let mut guard = session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: the lock is held. The session's user pointer is free, since nobody else gave it one, and what it
        // points to lives until `drop` takes it back. The callback has the form that its kind demands.
        unsafe {
            *raw::libssh2_session_abstract(handle) = arrived.as_ptr().cast();
            let callback = std::mem::transmute::<ffi::AuthAgent, ffi::Generic>(channel_arrived);
            ffi::libssh2_session_callback_set2(handle, ffi::CALLBACK_AUTH_AGENT, Some(callback));
        }
        drop(guard);
        AgentChannels { session: session.clone(), arrived }
    }

    /// The channels that arrived since the last call.
    pub(crate) fn take(&mut self) -> Vec<Channel> {
        // SAFETY: only libssh2 adds to it, in calls that are made on this thread, and none is under way.
        let arrived = std::mem::take(unsafe { self.arrived.as_mut() });
        arrived.into_iter().map(|raw| Channel { raw, session: self.session.clone() }).collect()
    }
}

impl Drop for AgentChannels {
    fn drop(&mut self) {
        let mut guard = self.session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: as in `accept`; after that nobody has a pointer to the box any more. What arrived and was not taken is
        // freed with the session.
        unsafe {
            ffi::libssh2_session_callback_set2(handle, ffi::CALLBACK_AUTH_AGENT, None);
            *raw::libssh2_session_abstract(handle) = ptr::null_mut();
            drop(Box::from_raw(self.arrived.as_ptr()));
        }
    }
}

/// Only remembers the channel: nothing of libssh2 may be called from inside it.
unsafe extern "C" fn channel_arrived(
    _session: *mut raw::LIBSSH2_SESSION,
    channel: *mut raw::LIBSSH2_CHANNEL,
    context: *mut *mut c_void,
) {
    // SAFETY: `AgentChannels::accept` put its list there, and nobody looks at it during this call.
    let arrived = unsafe { (*context).cast::<Arrived>().as_mut() };
    if let (Some(arrived), Some(channel)) = (arrived, NonNull::new(channel)) {
        arrived.push(channel);
    }
}
