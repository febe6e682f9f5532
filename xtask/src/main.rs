//! This repository's own deployment tool, and the example that users copy.

fn main() {}
