//! Installs the gems of a release with Bundler.
