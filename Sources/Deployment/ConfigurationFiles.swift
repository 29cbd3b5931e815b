internal import Glibc

/// The error number of a system call that failed.
struct SystemError: Error {
    let code: Int32
}

/// A name in a directory, which the kernel does not hold to be text.
struct FileName: Comparable {
    let bytes: [UInt8]

    /// The name with what is not UTF-8 replaced.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    var isPrintable: Bool {
        Array(text.utf8) == bytes
            && text.unicodeScalars.allSatisfy {
                !$0.isUnsuitableInText && !["\n", "\r", "\t"].contains($0)
            }
    }

    enum Purpose {
        case configuration
        /// Hidden, a README, or what editors and package managers leave behind.
        case leftover
        /// Nothing of these: somebody may take it for configuration.
        case misnamed
    }

    private static let readme = Array("README".utf8)
    private static let ending = Array(".yaml".utf8)
    /// Of packages' files that were kept or not taken, whatever follows.
    private static let packages = [".dpkg-", ".ucf-"].map { Array($0.utf8) }
    private static let leftovers = [
        "~", ".bak", ".orig", ".rej", ".save", ".swp", ".rpmnew", ".rpmorig", ".rpmsave",
    ].map { Array($0.utf8) }

    /// By the name alone.
    var purpose: Purpose {
        if bytes.first == UInt8(ascii: ".") || bytes.starts(with: Self.readme) { return .leftover }
        if Self.packages.contains(where: { bytes.contains($0) }) { return .leftover }
        if bytes.ends(with: Self.ending) { return .configuration }
        if bytes.first == UInt8(ascii: "#"), bytes.last == UInt8(ascii: "#") { return .leftover }
        return Self.leftovers.contains { bytes.ends(with: $0) } ? .leftover : .misnamed
    }

    /// What a misnamed file was probably to be called: `20.yaml` for `20.YML`, `20.json` and
    /// `20.yaml.txt`; nil for one that says nothing of its kind.
    var configurationName: FileName? {
        let lower = bytes.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        let kinds = [".yaml", ".yml", ".json"].map { Array($0.utf8) }
        for start in bytes.indices.reversed().dropLast()
        where kinds.contains(where: { lower[start...].starts(with: $0) }) {
            return FileName(bytes: bytes[..<start] + Self.ending)
        }
        return nil
    }

    /// Whether a directory of this name has a place beside the files: one of site profiles, and what
    /// file systems keep at their root.
    var isDirectoryOfItsOwn: Bool {
        ["profiles", "lost+found"].contains { bytes == Array($0.utf8) }
    }

    /// Byte order, whatever the locale.
    static func < (a: Self, b: Self) -> Bool { a.bytes.lexicographicallyPrecedes(b.bytes) }
}

/// An open directory, closed with the value.
struct OpenDirectory: ~Copyable {
    private let stream: OpaquePointer

    /// nil with `errno` set when it can't be opened.
    init?(_ path: String) {
        guard let stream = opendir(path) else { return nil }
        self.stream = stream
    }

    deinit {
        // Nothing was written, so nothing can be lost on closing.
        closedir(stream)
    }

    var descriptor: Int32 { dirfd(stream) }

    /// All names but `.` and `..`, in no order.
    func names() -> Result<[FileName], SystemError> {
        var names: [FileName] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                return errno == 0 ? .success(names) : .failure(SystemError(code: errno))
            }
            // The record ends with the name, so a copy of the whole structure would read past it.
            guard let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) else {
                preconditionFailure("dirent has a name")
            }
            let name = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: UInt8.self)
            let bytes = Array(UnsafeBufferPointer(start: name, count: length(of: name)))
            if bytes != Array(".".utf8), bytes != Array("..".utf8) {
                names.append(FileName(bytes: bytes))
            }
        }
    }

    private func length(of name: UnsafePointer<UInt8>) -> Int {
        var length = 0
        while name[length] != 0 { length += 1 }
        return length
    }

    /// Whether the name is there, even as a symbolic link that leads nowhere.
    func contains(_ name: FileName) -> Bool {
        var status = stat()
        return name.withCString { fstatat(dirfd(stream), $0, &status, AT_SYMLINK_NOFOLLOW) == 0 }
    }

    /// What the name leads to; nil with `errno` set where that can't be had.
    func status(of name: FileName) -> FileStatus? {
        var status = stat()
        guard name.withCString({ fstatat(dirfd(stream), $0, &status, 0) == 0 }) else { return nil }
        return FileStatus(status)
    }
}

/// An open file, closed with the value.
struct OpenFile: ~Copyable {
    let descriptor: Int32

    /// Follows symbolic links, as configuration management uses them; nil with `errno` set when it
    /// can't be opened.
    init?(_ name: FileName, in directory: borrowing OpenDirectory) {
        let parent = directory.descriptor
        // Without O_NONBLOCK, a FIFO would block until somebody writes to it.
        let descriptor = name.withCString {
            openat(parent, $0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        }
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
    }

    deinit {
        // Nothing was written, so nothing can be lost on closing.
        close(descriptor)
    }

    /// Reads to the end of the file or to a limit.
    func contents(atMost limit: Int) -> Result<[UInt8], SystemError> {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < limit {
            let count = read(descriptor, &buffer, min(buffer.count, limit - bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                return .failure(SystemError(code: errno))
            }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return .success(bytes)
    }
}

extension FileName {
    fileprivate func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
        (bytes + [0]).withUnsafeBytes { raw in
            body(raw.assumingMemoryBound(to: CChar.self).baseAddress!)
        }
    }
}

/// What decides whether a file or directory is trusted: that of an open descriptor, so that it
/// can't become another between the check and its use.
struct FileStatus {
    private let status: stat

    /// Tells a file from all others that exist at the same time.
    struct Identity: Hashable {
        let device: dev_t
        let inode: ino_t
    }

    init(_ status: stat) { self.status = status }

    /// nil with `errno` set when it can't be had.
    init?(of descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.status = status
    }

    var isRegularFile: Bool { status.st_mode & S_IFMT == S_IFREG }
    var isDirectory: Bool { status.st_mode & S_IFMT == S_IFDIR }
    var identity: Identity { Identity(device: status.st_dev, inode: status.st_ino) }

    /// Who else could change it and what to do about that, or nil.
    func problem(at path: String) -> String? {
        let path = shellWord(path)
        if status.st_uid != 0, status.st_uid != geteuid() {
            return
                "is owned by user \(status.st_uid), who could change it: run chown root \(path)"
        }
        if status.st_mode & S_IWOTH != 0 {
            return "can be written by everybody: run chmod o-w \(path)"
        }
        if status.st_mode & S_IWGRP != 0, status.st_gid != 0 {
            return "can be written by group \(status.st_gid): run chmod g-w \(path)"
        }
        return nil
    }
}

extension [UInt8] {
    fileprivate func ends(with ending: [UInt8]) -> Bool { suffix(ending.count) == ending[...] }
}

/// A text as one word for a shell, in quotes where it needs them.
func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "/"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
    if isPlain { return text }
    let escaped = text.split(separator: "'", omittingEmptySubsequences: false)
        .joined(separator: "'\\''")
    return "'\(escaped)'"
}
