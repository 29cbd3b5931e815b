internal import CLinux
internal import Glibc
package import SystemPackage

/// The facts that decide whether a file or directory is trusted: of an open descriptor, so that it
/// can't become another between the check and its use.
package struct FileFacts: Sendable {
    /// Tells a file from all others that exist at the same time.
    package struct Identity: Hashable, Sendable {
        /// The file system.
        package let device: UInt64
        /// The number of the file there.
        package let inode: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    /// The file's identity.
    package let identity: Identity
    /// The user who owns it.
    package let owner: UInt32
    /// The group that owns it.
    package let group: UInt32
    let mode: UInt32
    /// How many names the file has.
    let names: UInt64
    /// When its content was changed last, from 1970.
    package let modified: Duration
    /// The writers that access control lists name, beside those of the mode.
    let listed: [AccessList.Writer]
    /// Whether there is a POSIX list, whose mask stands where the mode has the group's rights.
    let hasMask: Bool

    package init(
        of descriptor: FileDescriptor, subject: String
    ) throws(SystemError) {
        let raw = descriptor.rawValue
        var status = stat()
        try systemCall("fstat", subject) { fstat(raw, &status) }
        identity = Identity(status)
        (owner, group, mode) = (status.st_uid, status.st_gid, status.st_mode)
        names = UInt64(status.st_nlink)
        modified =
            .seconds(Int64(status.st_mtim.tv_sec)) + .nanoseconds(Int64(status.st_mtim.tv_nsec))
        guard status.st_mode & S_IFMT != S_IFLNK else {
            // They have no rights of their own, nor lists.
            (listed, hasMask) = ([], false)
            return
        }
        let posix = try Self.attribute("system.posix_acl_access", of: raw, subject)
        let nfs4 = try Self.attribute("system.nfs4_acl", of: raw, subject)
        listed = (posix.map(AccessList.posix) ?? []) + (nfs4.map(AccessList.nfs4) ?? [])
        hasMask = posix != nil
    }

    /// Whether it is an ordinary file.
    package var isRegularFile: Bool { mode & S_IFMT == S_IFREG }
    /// Whether it is a directory.
    package var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    /// Whether it is a symbolic link, itself opened.
    package var isLink: Bool { mode & S_IFMT == S_IFLNK }
    /// Only who owns an entry, or the directory, may take it away or rename it.
    var isSticky: Bool { mode & S_ISVTX != 0 }

    /// An extended attribute; nil where there is none.
    private static func attribute(
        _ name: String, of raw: Int32, _ subject: String
    ) throws(SystemError) -> [UInt8]? {
        // XATTR_SIZE_MAX allows so many.
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        do {
            let count = try systemCall("getxattr \(name)", subject) {
                clinux_extended_attribute(raw, name, &bytes, bytes.count)
            }
            return Array(bytes.prefix(count))
        } catch {
            switch error.errno {
            case .noData, .notSupported: return nil
            default: throw error
            }
        }
    }
}

/// Why a file is not trusted.
package struct Distrust: Error, Hashable, Sendable {
    /// In words that follow the file's name.
    package let reason: String
    /// The command that mends it, before the file's name.
    let command: String

    /// The remedy, in words that follow the file's name.
    package func words(at path: String) -> String {
        "\(reason): run \(command) \(shellWord(path))"
    }
}

extension FileFacts {
    /// The users whom nothing keeps from changing the file anyway: root and the one of this process.
    package static var trusted: Set<UInt32> { [0, geteuid()] }

    /// Somebody else who could change the file; nil where nobody could.
    package func distrust(trusting trusted: Set<UInt32> = Self.trusted) -> Distrust? {
        foreignOwner(trusting: trusted) ?? foreignWriter(trusting: trusted)
    }

    /// Somebody else who could put something in place of an entry of the directory; nil for nobody.
    /// In a sticky one others may add entries, and not change those of others.
    package var distrustOfEntries: Distrust? {
        foreignOwner(trusting: Self.trusted)
            ?? (isSticky ? nil : foreignWriter(trusting: Self.trusted))
    }

    func foreignOwner(trusting trusted: Set<UInt32>) -> Distrust? {
        if trusted.contains(owner) { return nil }
        return Distrust(
            reason: "is owned by user \(owner), who could change it",
            command: isLink ? "chown -h root" : "chown root")
    }

    func foreignWriter(trusting trusted: Set<UInt32>) -> Distrust? {
        if mode & S_IWOTH != 0 {
            return Distrust(reason: "can be written by everybody", command: "chmod o-w")
        }
        if !hasMask, mode & S_IWGRP != 0, group != 0 {
            return Distrust(reason: "can be written by group \(group)", command: "chmod g-w")
        }
        for writer in listed {
            let who: String
            switch writer {
            case .user(let id) where trusted.contains(id): continue
            case .group(0): continue
            case .owningGroup where group == 0: continue
            case .owningGroup:
                return Distrust(reason: "can be written by group \(group)", command: "chmod g-w")
            case .everybody: who = "everybody"
            case .user(let id): who = "user \(id)"
            case .group(let id): who = "group \(id)"
            case .named(let name): who = shellWord(name)
            case .unknown:
                return Distrust(
                    reason: "has an access control list that can't be understood",
                    command: "setfacl -b")
            }
            let isPOSIX = hasMask
            return Distrust(
                reason: "can be written by \(who), by its access control list",
                command: isPOSIX ? "setfacl -b" : "nfs4_setfacl -e")
        }
        return nil
    }
}
