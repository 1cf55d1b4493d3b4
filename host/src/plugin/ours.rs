//! Whether a file, and every folder that its name leads through last, can be changed by nobody but us: what is loaded from
//! there runs as us. Links are followed from such folders alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::LoadFault;

/// Who else may write.
const OTHERS: u32 = 0o002;

/// An error names what others can change.
pub(super) fn check(file: &Path) -> Result<(), LoadFault> {
    let real = fs::canonicalize(file).map_err(LoadFault::Read)?;
    let folder = |file: &Path| file.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_path_buf);
    let places = [folder(file), folder(&real), Some(real)];
    places.into_iter().flatten().try_for_each(|place| closed(&place))
}

fn closed(place: &Path) -> Result<(), LoadFault> {
    let found = fs::metadata(place).map_err(LoadFault::Read)?;
    let us = rustix::process::geteuid().as_raw();
    if found.uid() != us && found.uid() != 0 {
        return Err(LoadFault::Foreign { place: place.into(), owner: found.uid(), us });
    }
    match found.mode() & OTHERS {
        0 => Ok(()),
        _ => Err(LoadFault::Writable { place: place.into(), mode: found.mode() & 0o7777 }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_others_can_change_is_named_whether_file_folder_or_behind_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (place.path().join("plugins"), place.path().join("elsewhere"));
        for made in [&folder, &elsewhere] {
            fs::create_dir(made).unwrap();
            fs::set_permissions(made, Permissions::from_mode(0o755)).unwrap();
        }
        let (file, behind) = (folder.join("a.so"), elsewhere.join("a.so"));
        fs::write(&behind, "x").unwrap();
        symlink(&behind, &file).unwrap();
        let set = |place: &Path, mode| fs::set_permissions(place, Permissions::from_mode(mode)).unwrap();
        assert!(check(&file).is_ok());
        for (open, closed) in [(&folder, 0o755), (&elsewhere, 0o755), (&behind, 0o644)] {
            set(open, closed | 0o002);
            let words = check(&file).unwrap_err().to_string();
            assert!(words.contains(&open.display().to_string()) && words.contains("chmod o-w"), "{words}");
            set(open, closed);
        }
        assert!(check(&file).is_ok());
    }
}
