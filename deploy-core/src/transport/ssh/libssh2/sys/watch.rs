//! What goes through a session's socket while somebody logs in: it is known which packet is out.

use std::ffi::{c_int, c_void};
use std::mem::transmute;
use std::ptr::{self, NonNull};

use libssh2_sys as raw;
use ssh2::Session;

use super::callbacks::exchange;
use super::ffi;

/// The message that ends the key exchange (RFC 4253, section 7.3), the last one that isn't encrypted, and where the
/// number of its kind stands in a packet.
const NEWKEYS: u8 = 21;
const KIND: usize = 5;

/// How much a server may say before it has shaken hands. It takes a few kilobytes.
const LONGEST_GREETING: usize = 256 << 10;

/// Watches what a session sends and receives, until it is dropped.
///
/// Neither another `Watch` nor anything else that uses the session's user pointer (an [`AgentChannels`](super::AgentChannels),
/// ssh2's questions and answers) may be there meanwhile.
pub(crate) struct Watch {
    session: Session,
    /// A box of ours that libssh2 has a pointer to.
    log: NonNull<Log>,
}

struct Log {
    send: ffi::Send,
    receive: ffi::Receive,
    /// How many packets are out.
    packets: usize,
    /// Whether one of them is out in part.
    is_midway: bool,
    /// How many were out when the keys were changed.
    before_new_keys: Option<usize>,
    received: usize,
    is_greeting: bool,
}

impl Watch {
    /// Watches the beginning of a session, in which a server may only say so much.
    pub(crate) fn greeting(session: &Session) -> Watch {
        Watch::begin(session, true)
    }

    /// Watches a session whose keys were exchanged.
    pub(crate) fn start(session: &Session) -> Watch {
        Watch::begin(session, false)
    }

    fn begin(session: &Session, is_greeting: bool) -> Watch {
        // SAFETY: every session has both callbacks from its beginning, of these forms; ours are of the same. The user
        // pointer is free, as the type's contract says, and what it points to lives until `drop` takes it back.
        let log = unsafe {
            let send = exchange(session, ffi::CALLBACK_SEND, Some(transmute::<ffi::Send, ffi::Generic>(send_and_note)));
            let receive =
                exchange(session, ffi::CALLBACK_RECV, Some(transmute::<ffi::Receive, ffi::Generic>(receive_and_note)));
            let log = NonNull::from(Box::leak(Box::new(Log {
                send: transmute::<Option<ffi::Generic>, ffi::Send>(send),
                receive: transmute::<Option<ffi::Generic>, ffi::Receive>(receive),
                packets: 0,
                is_midway: false,
                before_new_keys: None,
                received: 0,
                is_greeting,
            })));
            let mut guard = session.raw();
            *raw::libssh2_session_abstract(&raw mut *guard) = log.as_ptr().cast();
            log
        };
        Watch { session: session.clone(), log }
    }

    /// How many packets are out since the beginning of the watch, the banner counted as one.
    pub(crate) fn packets(&self) -> usize {
        self.log().packets
    }

    /// Whether our request for the authentication service is out, the first packet after the change of keys.
    pub(crate) fn has_requested_service(&self) -> bool {
        self.log().before_new_keys.is_some_and(|before| self.packets() > before)
    }

    /// Whether the server says more than one does that wants to shake hands. Nothing more is read then.
    pub(crate) fn is_babbling(&self) -> bool {
        self.log().is_babbling()
    }

    fn log(&self) -> &Log {
        // SAFETY: only libssh2 changes it, in calls that are made on this thread, and none is under way.
        unsafe { self.log.as_ref() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // SAFETY: these callbacks were there before; after that nobody has a pointer to the box any more.
        unsafe {
            let (send, receive) = (self.log().send, self.log().receive);
            exchange(&self.session, ffi::CALLBACK_SEND, Some(transmute::<ffi::Send, ffi::Generic>(send)));
            exchange(&self.session, ffi::CALLBACK_RECV, Some(transmute::<ffi::Receive, ffi::Generic>(receive)));
            let mut guard = self.session.raw();
            *raw::libssh2_session_abstract(&raw mut *guard) = ptr::null_mut();
            drop(Box::from_raw(self.log.as_ptr()));
        }
    }
}

impl Log {
    fn note_sent(&mut self, kind: Option<u8>, is_whole: bool) {
        let is_first_piece = !std::mem::replace(&mut self.is_midway, !is_whole);
        self.packets += usize::from(is_whole);
        if is_first_piece && kind == Some(NEWKEYS) {
            self.before_new_keys.get_or_insert(self.packets + usize::from(!is_whole));
        }
    }

    fn is_babbling(&self) -> bool {
        self.is_greeting && self.received > LONGEST_GREETING
    }
}

unsafe extern "C" fn send_and_note(
    socket: c_int,
    buffer: *const c_void,
    length: libc::size_t,
    flags: c_int,
    context: *mut *mut c_void,
) -> libc::ssize_t {
    // SAFETY: `Watch::begin` put its log there and nobody looks at it during this call; buffer and length belong together.
    unsafe {
        let log = &mut *(*context).cast::<Log>();
        let sent = (log.send)(socket, buffer, length, flags, context);
        if let Ok(bytes @ 1..) = usize::try_from(sent) {
            let kind = (length > KIND).then(|| *buffer.cast::<u8>().add(KIND));
            log.note_sent(kind, bytes == length);
        }
        sent
    }
}

unsafe extern "C" fn receive_and_note(
    socket: c_int,
    buffer: *mut c_void,
    length: libc::size_t,
    flags: c_int,
    context: *mut *mut c_void,
) -> libc::ssize_t {
    // SAFETY: as in `send_and_note`.
    unsafe {
        let log = &mut *(*context).cast::<Log>();
        if log.is_babbling() {
            return -(libc::EAGAIN as libc::ssize_t);
        }
        let received = (log.receive)(socket, buffer, length, flags, context);
        log.received += usize::try_from(received).unwrap_or(0);
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that notes the callbacks that `session` has now.
    fn log_of(session: &Session) -> Log {
        let watch = Watch::start(session);
        let Log { send, receive, .. } = *watch.log();
        Log { send, receive, packets: 0, is_midway: false, before_new_keys: None, received: 0, is_greeting: true }
    }

    fn log() -> Log {
        log_of(&Session::new().unwrap())
    }

    #[test]
    fn a_packet_counts_when_its_last_piece_is_out() {
        let mut log = log();
        log.note_sent(Some(20), false);
        assert_eq!(log.packets, 0);
        log.note_sent(Some(NEWKEYS), true);
        assert_eq!((log.packets, log.before_new_keys), (1, None), "the middle of a packet has no kind");
    }

    #[test]
    fn the_service_is_requested_by_the_packet_after_the_new_keys() {
        let mut log = log();
        for kind in [b'.', 20, 30] {
            log.note_sent(Some(kind), true);
        }
        assert_eq!(log.before_new_keys, None);
        log.note_sent(Some(NEWKEYS), true);
        assert_eq!((log.packets, log.before_new_keys), (4, Some(4)));
        log.note_sent(Some(NEWKEYS), true);
        assert_eq!(log.before_new_keys, Some(4), "what is encrypted may look like anything");
    }

    #[test]
    fn new_keys_in_pieces_count_as_one_packet() {
        let mut log = log();
        log.note_sent(Some(NEWKEYS), false);
        log.note_sent(None, true);
        assert_eq!((log.packets, log.before_new_keys), (1, Some(1)));
    }

    #[test]
    fn a_session_is_as_before_when_the_watch_is_over() {
        let session = Session::new().unwrap();
        let (before, after) = (log_of(&session), log_of(&session));
        assert!(std::ptr::fn_addr_eq(before.send, after.send) && std::ptr::fn_addr_eq(before.receive, after.receive));
    }
}
