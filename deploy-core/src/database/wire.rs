//! How dumps travel: compressed by what both ends have, measured at both ends.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

use super::opened::hex;
use crate::error::{Error, Result};
use crate::script::{Cmd, Script};
use crate::sh;
use crate::task::Found;

/// The shell functions of this folder's scripts.
pub(super) const DATABASE: &str = include_str!("database.sh");

/// What compresses a dump on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Packing {
    /// Nothing: it doesn't leave the machine, or is compressed inside.
    #[default]
    None,
    /// zstd, level 1.
    Zstd,
    /// gzip, level 1, where there is no zstd.
    Gzip,
}

impl Packing {
    /// The best that a machine has, which says so by the fact `packers`.
    pub(super) fn of(found: &Found) -> Packing {
        let packers = found.get("packers").map(String::as_str).unwrap_or_default();
        match () {
            () if packers.contains("zstd") => Packing::Zstd,
            () if packers.contains("gzip") => Packing::Gzip,
            () => Packing::None,
        }
    }

    fn pack(self) -> Option<Cmd> {
        match self {
            Packing::None => None,
            Packing::Zstd => Some(Cmd::new("zstd").args(["-q", "-1", "-c"])),
            Packing::Gzip => Some(Cmd::new("gzip").args(["-1", "-c"])),
        }
    }

    fn unpack(self) -> Option<Cmd> {
        match self {
            Packing::None => None,
            Packing::Zstd => Some(Cmd::new("zstd").args(["-q", "-d", "-c"])),
            Packing::Gzip => Some(Cmd::new("gzip").args(["-d", "-c"])),
        }
    }

    /// The steps that send what `producer` writes, and report how much it was: the facts `sent_bytes`, `sent_sha256`.
    pub(super) fn send(self, producer: Cmd) -> Script {
        let cmds = [Some(producer), self.pack(), Some(Cmd::new("database_measure"))];
        Script::new().uses(DATABASE).pipe(cmds.into_iter().flatten())
    }

    /// The steps that write what the controller sends to `path`, and report how much it was.
    pub(super) fn receive(self, path: &str) -> Script {
        let cmds = [
            Some(Cmd::new("deploy_input")),
            Some(Cmd::new("database_measure")),
            self.unpack(),
            Some(Cmd::new("database_write").arg(path)),
        ];
        Script::new().uses(DATABASE).then(sh!("umask 077")).pipe(cmds.into_iter().flatten())
    }
}

/// Takes what a server sends: counts and hashes it as it comes, and hands it on unpacked.
pub(super) struct Receiver<W: Write> {
    unpack: Unpack<W>,
    seen: Seen,
}

enum Unpack<W: Write> {
    Not(W),
    Zstd(zstd::stream::write::Decoder<'static, W>),
    Gzip(flate2::write::GzDecoder<W>),
}

impl<W: Write> Receiver<W> {
    /// A receiver of what was packed by `packing`.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub(super) fn new(packing: Packing, to: W) -> io::Result<Receiver<W>> {
        let unpack = match packing {
            Packing::None => Unpack::Not(to),
            Packing::Zstd => Unpack::Zstd(zstd::stream::write::Decoder::new(to)?),
            Packing::Gzip => Unpack::Gzip(flate2::write::GzDecoder::new(to)),
        };
        Ok(Receiver { unpack, seen: Seen::default() })
    }

    /// What the unpacked data goes to.
    pub(super) fn inner(&self) -> &W {
        match &self.unpack {
            Unpack::Not(inner) => inner,
            Unpack::Zstd(decoder) => decoder.get_ref(),
            Unpack::Gzip(decoder) => decoder.get_ref(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// When they can't be unpacked, or written.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seen.update(bytes);
        match &mut self.unpack {
            Unpack::Not(inner) => inner.write_all(bytes),
            Unpack::Zstd(decoder) => decoder.write_all(bytes),
            Unpack::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    /// Everything has come: compares it with what the sender says that it sent, where that is another machine.
    ///
    /// # Errors
    ///
    /// When something was lost or changed on the way, or can't be written.
    pub(super) fn finish(self, sender: Option<&Found>) -> Result<(W, u64)> {
        sender.map_or(Ok(()), |sender| self.seen.compare(sender))?;
        let bytes = self.seen.bytes;
        let damaged = |error| Error::task("the dump can't be unpacked").because(anyhow::Error::from(error));
        let inner = match self.unpack {
            Unpack::Not(inner) => inner,
            Unpack::Zstd(mut decoder) => {
                decoder.flush().map_err(damaged)?;
                decoder.into_inner()
            }
            Unpack::Gzip(decoder) => decoder.finish().map_err(damaged)?,
        };
        Ok((inner, bytes))
    }
}

/// Packs what is read from it, and remembers how much that was.
pub(super) struct Sender<'s> {
    packed: Box<dyn Read + Send + 's>,
    seen: Seen,
}

impl<'s> Sender<'s> {
    /// A sender of `source`.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub(super) fn new(packing: Packing, source: Box<dyn Read + Send + 's>) -> io::Result<Sender<'s>> {
        let packed: Box<dyn Read + Send> = match packing {
            Packing::None => source,
            Packing::Zstd => Box::new(zstd::stream::read::Encoder::new(source, 1)?),
            Packing::Gzip => Box::new(flate2::read::GzEncoder::new(source, flate2::Compression::fast())),
        };
        Ok(Sender { packed, seen: Seen::default() })
    }

    /// Everything was sent: compares it with what the receiver says that it got.
    ///
    /// # Errors
    ///
    /// When something was lost or changed on the way.
    pub(super) fn finish(&self, receiver: &Found) -> Result<()> {
        self.seen.compare(receiver)
    }
}

impl Read for Sender<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.packed.read(buffer)?;
        self.seen.update(&buffer[..count]);
        Ok(count)
    }
}

/// How much went over the wire.
#[derive(Default)]
struct Seen {
    bytes: u64,
    hash: Sha256,
}

impl Seen {
    fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// Compares with what the other end has seen.
    fn compare(&self, other: &Found) -> Result<()> {
        let (Some(bytes), Some(sha256)) = (other.get("sent_bytes"), other.get("sent_sha256")) else {
            return Err(Error::task(
                "the server doesn't say how long the dump is that it saw, and what its SHA-256 is",
            )
            .hint("it needs the programs tee, wc, and sha256sum or shasum"));
        };
        if *bytes != self.bytes.to_string() {
            return Err(Error::task(format!("the dump is {} bytes long here, and {bytes} on the server", self.bytes))
                .hint("the connection lost something: try again"));
        }
        if *sha256 != hex(&self.hash.clone().finalize()) {
            return Err(Error::task("the dump is not the same here and on the server: its SHA-256 differs")
                .hint("the connection, or a disk, changed something: try again"));
        }
        Ok(())
    }
}
