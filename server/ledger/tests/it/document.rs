//! The worked example of the format description.
