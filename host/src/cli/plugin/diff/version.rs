//! Versions of three numbers, and which of them must grow.

use std::fmt;

use serde::Serialize;

/// The part of a version that must grow; the later, the more it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bump {
    /// Nobody notices.
    Patch,
    /// There is more, or it is otherwise; what worked still does.
    Minor,
    /// Somebody must do something.
    Major,
}

/// Major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u64, u64, u64);

impl Version {
    /// Reads `1.2.3`; what stands behind `-` or `+` does not count.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split(['-', '+']).next()?.split('.').map(|number| number.parse().ok());
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }

    /// The lowest version that says so; below 1.0 the second number says what the first says later.
    pub(super) fn after(self, bump: Bump) -> Self {
        let Self(major, minor, patch) = self;
        match (bump, major) {
            (Bump::Major, 0) => Self(0, minor.saturating_add(1), 0),
            (Bump::Major, _) => Self(major.saturating_add(1), 0, 0),
            (Bump::Minor, 0) | (Bump::Patch, _) => Self(major, minor, patch.saturating_add(1)),
            (Bump::Minor, _) => Self(major, minor.saturating_add(1), 0),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_one_a_minor_version_breaks() {
        let after = |text, bump| Version::read(text).map(|version| version.after(bump).to_string());
        assert_eq!(after("1.2.3", Bump::Major).as_deref(), Some("2.0.0"));
        assert_eq!(after("1.2.3", Bump::Minor).as_deref(), Some("1.3.0"));
        assert_eq!(after("1.2.3", Bump::Patch).as_deref(), Some("1.2.4"));
        assert_eq!(after("0.2.3", Bump::Major).as_deref(), Some("0.3.0"));
        assert_eq!(after("0.2.3", Bump::Minor).as_deref(), Some("0.2.4"));
        assert_eq!(after("1.2", Bump::Patch), None);
        assert!(Version::read("1.10.0") > Version::read("1.9.9"));
    }
}
