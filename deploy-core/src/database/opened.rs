//! A file that was opened once, read as often as it takes, and hashed as it is read.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Reads an open file from its start, beside others who do.
#[derive(Debug)]
pub(super) struct FromStart {
    file: Arc<File>,
    at: u64,
}

impl FromStart {
    /// Reads `file`.
    pub(super) fn of(file: &Arc<File>) -> FromStart {
        FromStart { file: Arc::clone(file), at: 0 }
    }
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The SHA-256 of what was read of a file, and how much that is.
#[derive(Clone, Debug, Default)]
pub(super) struct Sum(Arc<Mutex<(Sha256, u64)>>);

impl Sum {
    /// The same file, which adds what is read to the sum.
    pub(super) fn of(&self, source: FromStart) -> Summing {
        Summing { source, sum: self.clone() }
    }

    /// The sum of the whole of `file`: of what was read, and of the rest, that no reader asked for.
    ///
    /// # Errors
    ///
    /// When the rest can't be read.
    pub(super) fn finish(&self, file: &Arc<File>) -> io::Result<String> {
        let at = self.0.lock().unwrap_or_else(PoisonError::into_inner).1;
        io::copy(&mut self.of(FromStart { file: Arc::clone(file), at }), &mut io::sink())?;
        let sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(hex(&sum.0.clone().finalize()))
    }
}

/// A file whose sum is made while it is read.
#[derive(Debug)]
pub(super) struct Summing {
    source: FromStart,
    sum: Sum,
}

impl Read for Summing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let mut sum = self.sum.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.0.update(&buffer[..read]);
        sum.1 += read as u64;
        Ok(read)
    }
}

/// The SHA-256 of `file`. `seen` is told how much has been read, `failed` why it can't be.
///
/// # Errors
///
/// When it can't be read, or `seen` says so.
pub(super) fn sha256(
    file: &Arc<File>,
    failed: &dyn Fn(io::Error) -> Error,
    seen: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<String> {
    let (mut source, mut hash, mut buffer) = (FromStart::of(file), Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = source.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        seen(source.at)?;
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_stays_what_it_was_opened_as_and_all_of_it_is_hashed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        fs::write(&path, "one two three").unwrap();
        let file = Arc::new(File::open(&path).unwrap());
        let whole = Sum::default().finish(&file).unwrap();
        fs::write(folder.path().join("other"), "another").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        let sum = Sum::default();
        let mut head = [0; 3];
        sum.of(FromStart::of(&file)).read_exact(&mut head).unwrap();
        assert_eq!((&head, sum.finish(&file).unwrap()), (b"one", whole.clone()));
        let other = Arc::new(File::open(&path).unwrap());
        assert_ne!(Sum::default().finish(&other).unwrap(), whole);
    }
}
