//! Keys for unit tests. Nobody uses them for anything else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An Ed25519 key.
pub(super) const KEY_ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPocPG6kfYNrbrDwxoZ/yeTat9akAfTXyEGjphY/BLZb one";
/// Another one.
pub(super) const KEY_TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILQylWnnMsSFaxrVhoe60Y5bKbjR6pw8iKbSp06cnvNP two";
/// And a third.
pub(super) const KEY_THREE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFTPbr/UTcW4qrBlG0YuFF6ysrIe9/iXrNBUPuWw1nG three";
/// A certificate of the first one.
pub(super) const CERTIFICATE_OF_ONE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIHnFX7Vep5AnKkMHeYRgjt/Q1eyBwgVMEJRZMHdwGiyvAAAAIPocPG6kfYNrbrDwxoZ/yeTat9akAfTXyEGjphY/BLZbAAAAAAAAAAAAAAABAAAAAm1lAAAACwAAAAdsYWJ1c2VyAAAAAAAAAAD//////////wAAAAAAAACCAAAAFXBlcm1pdC1YMTEtZm9yd2FyZGluZwAAAAAAAAAXcGVybWl0LWFnZW50LWZvcndhcmRpbmcAAAAAAAAAFnBlcm1pdC1wb3J0LWZvcndhcmRpbmcAAAAAAAAACnBlcm1pdC1wdHkAAAAAAAAADnBlcm1pdC11c2VyLXJjAAAAAAAAAAAAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIC9r515MHGHsLTdhrOGLYjAazMJvLxHhEKyZvYaX1JoYAAAAUwAAAAtzc2gtZWQyNTUxOQAAAECz5bYKqBfXZ5NKWYh8Auf6TxChjic6gt19K6vqvds+gsMvkrftl2J42cKQAX+LT9fXIuI6YMTFQtcPKlTAnRcK one";

/// A key as SSH's protocol writes it.
pub(super) fn blob(line: &str) -> Vec<u8> {
    STANDARD.decode(line.split(' ').nth(1).unwrap()).unwrap()
}
