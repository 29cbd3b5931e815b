internal import CLinux
internal import Glibc
internal import SystemPackage

// inotify tells of what is done to a file by the name under which it is watched. Of what else may
// change it, comparing alone tells.

extension OpenedFile {
    /// Whether all that changes the file is told to who watches the directory in which it was named:
    /// it lies there itself, is no other name's as well, no mount, and on a file system that nothing
    /// but this kernel changes. False where that can't be known.
    package var isToldByEvents: Bool {
        guard !hasLinks else { return false }
        let raw = descriptor.descriptor.rawValue
        // Of a directory that is mounted at two places both see what is done in either.
        if !facts.isDirectory {
            guard facts.names == 1, clinux_is_mount_root(raw) == 0 else { return false }
        }
        var type: UInt64 = 0
        return clinux_file_system(raw, &type) == 0 && Self.localFileSystems.contains(type)
    }

    /// Whether a link is on the way to a path, as far as that can be seen.
    package static func hasLink(onWayTo path: String) -> Bool {
        var place = path.utf8.first == UInt8(ascii: "/") ? "/" : "./"
        for name in path.split(separator: "/") {
            place += name
            var status = stat()
            if lstat(place, &status) == 0, status.st_mode & S_IFMT == S_IFLNK { return true }
            place += "/"
        }
        return false
    }

    /// By their `f_type`, those on which a file is changed by this kernel's system calls alone. Not
    /// among them: overlays, whose layers others may write, FUSE, networks, and what is not known.
    private static let localFileSystems: Set<UInt64> = [
        0xef53,  // ext2, ext3, ext4
        0x5846_5342,  // XFS
        0x9123_683e,  // Btrfs
        0xca45_1a4e,  // bcachefs
        0x2fc1_2fc1,  // ZFS
        0xf2f5_2010,  // F2FS
        0x0102_1994, 0x8584_58f6,  // tmpfs, ramfs
        0x3153_464a, 0x5265_4973, 0x3434,  // JFS, ReiserFS, NILFS
        0x2405_1905, 0x72b6,  // UBIFS, JFFS2
        0x4d44, 0x2011_bab0, 0x7366_746e,  // VFAT, exFAT, NTFS
        0x9660, 0x1501_3346, 0x7371_7368, 0xe0f5_e1e2,  // ISO 9660, UDF, SquashFS, EROFS
    ]
}
