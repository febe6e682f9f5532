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

/// An Ed25519 key in OpenSSH's format; its passphrase is `secret`.
pub(super) const OPENSSH: &str = "\
-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABDdyDWy1q
Ra8MS80ZWpLrl8AAAAAQAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIC7MKKH4umt+FPqK
gj1ewV8eIlehPHpL9IlpUcq3J2vpAAAAkKA8dZkcPpeEepj9aBcBBBBDpvxveIqBzvKLJ6
D04LN3+K6IiPcdI6LeWhviSongPfUirn0Zy7dDfVhOgQDe38Hy47DJLLDANafcAmgnFJ4m
qaRR2cmGy4OGZWQ4EJm58iyNMa2gbDbT+oUl4e9Dw8OI8alDUe3jROiraa7EvVvmL8R+oJ
MakGm1njNZ200YlA==
-----END OPENSSH PRIVATE KEY-----
";

/// Its public half.
pub(super) const OPENSSH_PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC7MKKH4umt+FPqKgj1ewV8eIlehPHpL9IlpUcq3J2vp enc";

/// An ECDSA key in PKCS#8, encrypted.
pub(super) const PKCS8: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhczjd4TdiIIQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEJZoqaNk87KCMnAbnU1Y9XYEgZAX
kU//AntT7NK8wy0MMUsw5dp3BDWqa+LqV/4XlVZlEUK6sczm00Xf7XRBqkny+73W
lOFUu41AhBaE+122KfFBfBANN1owDVKSxwK3Dd4clx1m/R5u02iXF1QVtQrmi7TZ
ylePINh2OhNXP0sU3klxDRpeTBqoTLBBrXBnH1q782LNEktokpTaTdxJsDTW/2k=
-----END ENCRYPTED PRIVATE KEY-----
";

/// An ECDSA key in PEM, encrypted.
pub(super) const PEM: &str = "\
-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,A9930821B865D1A1F49C850FB662F6F3

ubSmND0W3yv/0Aiar/vcYZSFnDo//tpE/c1vYUz4fJWqO7EK55r8JgLiG9H+rGGw
Rgy0XthMG0DnqtjLbaEebTzK60PxtVvWVxmLpkVL0WwqGkDpDWAUGBcNProOkDPc
KG5Ps6CwYbvyZZ6ohLTcWejnsoZPi55ojWero84suBQ=
-----END EC PRIVATE KEY-----
";

/// An ECDSA key in PEM.
pub(super) const PLAIN_PEM: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEICMDAWysvpAVc3zqg+oIP8vPNWDMCMJHRuzCt1+2cC3voAoGCCqGSM49
AwEHoUQDQgAECT3aool/wjfg69fBWZ8NKOMLvouci+iWDfMdlvHg9S2VKgYuW1of
DrsHjjA3BUD6RX9556orb3H1ipDNJ1dKWQ==
-----END EC PRIVATE KEY-----
";

/// A key as SSH's protocol writes it.
pub(super) fn blob(line: &str) -> Vec<u8> {
    STANDARD.decode(line.split(' ').nth(1).unwrap()).unwrap()
}
