internal import CLinux
internal import Glibc
internal import SystemPackage

/// A file or directory, opened for reading by way of directories that nobody but root and this
/// process's user could change.
///
/// Links are followed one by one, since whoever may write a directory on the way may put something
/// else in place of what it leads to.
package struct OpenedFile: ~Copyable {
    /// For reading; never blocks.
    package let descriptor: OwnedDescriptor
    /// As they were when it was opened.
    package let facts: FileFacts
    /// Whether a link led here.
    package let hasLinks: Bool

    /// Why nothing was opened.
    package enum Problem: Error {
        case failed(SystemError)
        /// A directory on the way, or a link, is not trusted; in whole words.
        case distrusted(String)
    }

    /// Opens a directory, relative to the working directory where the path is not absolute. Whether
    /// it is itself to be trusted is for the caller to ask.
    ///
    /// - Throws: ``Problem``.
    package init(directory path: String) throws(Problem) {
        var walk = try Walk(path)
        self = try walk.opened(asDirectory: true)
    }

    /// Opens a file by its name in a directory, which may be a link to elsewhere. A FIFO is not
    /// waited for, and no terminal becomes this process's.
    ///
    /// - Parameter path: that of the directory.
    /// - Throws: ``Problem``.
    package init(
        file name: [UInt8], in directory: borrowing OpenedFile, at path: String
    ) throws(Problem) {
        var walk = try Walk(name, in: directory, at: path)
        self = try walk.opened(asDirectory: false)
    }

    fileprivate init(
        _ descriptor: consuming OwnedDescriptor, facts: FileFacts, hasLinks: Bool
    ) {
        self.descriptor = descriptor
        self.facts = facts
        self.hasLinks = hasLinks
    }
}

/// The way to a file, component by component.
private struct Walk: ~Copyable {
    private static let here = Array(".".utf8)[...]
    private static let above = Array("..".utf8)[...]
    /// As many as the kernel follows.
    private static let links = 40
    /// Bytes of a link's end, its terminating NUL included: PATH_MAX.
    private static let longestTarget = 4096

    /// The file's name in messages.
    private let goal: String
    /// Where the walk has come, and the names that led there.
    private var directory: OwnedDescriptor
    private var place: [String] = []
    /// Whether what was reached is known to be trusted.
    private var isTrusted = false
    /// Whether others may add entries to what was reached.
    private var isShared = false
    /// The components that are left, the next one last.
    private var rest: [ArraySlice<UInt8>] = []
    private var linksLeft = links

    init(_ path: String) throws(OpenedFile.Problem) {
        var whole = Array(path.utf8)
        if path.isEmpty {
            throw .failed(SystemError(operation: "open", errno: .noSuchFileOrDirectory))
        } else if whole[0] != UInt8(ascii: "/") {
            guard let working = getcwd(nil, 0) else {
                throw .failed(SystemError(operation: "getcwd", errno: Errno(rawValue: errno)))
            }
            defer { free(working) }
            whole = Array(String(cString: working).utf8) + [UInt8(ascii: "/")] + whole
        }
        let root = try Self.root()
        goal = path
        directory = root
        add(whole)
    }

    /// - Parameter path: that of the directory, which its caller trusts.
    init(
        _ name: [UInt8], in start: borrowing OpenedFile, at path: String
    ) throws(OpenedFile.Problem) {
        let directory = try Self.entry(Self.here, of: start.descriptor.descriptor)
        goal = "\(path)/\(String(decoding: name, as: UTF8.self))"
        self.directory = directory
        place = path.split(separator: "/").map(String.init)
        isTrusted = true
        rest = [name[...]]
    }

    private static func root() throws(OpenedFile.Problem) -> OwnedDescriptor {
        try entry(Array("/".utf8)[...], of: FileDescriptor(rawValue: AT_FDCWD))
    }

    private mutating func add(_ path: [UInt8]) {
        rest += path.split(separator: UInt8(ascii: "/")).reversed()
    }

    /// Goes to the end.
    mutating func opened(asDirectory: Bool) throws(OpenedFile.Problem) -> OpenedFile {
        while true {
            let name = rest.popLast() ?? Self.here
            if name == Self.here, !rest.isEmpty { continue }
            if name == Self.above {
                try enter(Self.entry(Self.above, of: directory.descriptor))
                _ = place.popLast()
                continue
            }
            try requireTrust()
            do throws(OpenedFile.Problem) {
                if rest.isEmpty { return try open(name, asDirectory: asDirectory) }
                try enter(Self.entry(name, of: directory.descriptor))
                place.append(String(decoding: name, as: UTF8.self))
            } catch {
                // Of a link, since none is followed by the kernel; or of what is no directory.
                guard case .failed(let failure) = error,
                    failure.errno == .tooManySymbolicLinkLevels || failure.errno == .notDirectory
                else { throw error }
                guard try follow(name) else { throw error }
            }
        }
    }

    private mutating func enter(_ next: consuming OwnedDescriptor) {
        directory = next
        isTrusted = false
    }

    /// The path of what was reached.
    private var path: String { "/" + place.joined(separator: "/") }

    /// Looks whether others could put something in place of an entry.
    private mutating func requireTrust() throws(OpenedFile.Problem) {
        if isTrusted { return }
        let facts = try Self.facts(of: directory.descriptor, path)
        if let distrust = facts.distrustOfEntries { throw .distrusted(onTheWay(path, distrust)) }
        isTrusted = true
        isShared = facts.foreignWriter(trusting: FileFacts.trusted) != nil
    }

    private func onTheWay(_ path: String, _ distrust: Distrust) -> String {
        "\(shellWord(path)), on the way to \(goal), \(distrust.words(at: path))"
    }

    private func open(
        _ name: ArraySlice<UInt8>, asDirectory: Bool
    ) throws(OpenedFile.Problem) -> OpenedFile {
        let raw = directory.descriptor.rawValue
        // Without O_NONBLOCK, a FIFO would block until somebody writes to it.
        let flags =
            O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
            | (asDirectory ? O_DIRECTORY : 0)
        let file = try Self.adopt("open", goal) { name.withCString { openat(raw, $0, flags) } }
        let facts = try Self.facts(of: file.descriptor, goal)
        return OpenedFile(file, facts: facts, hasLinks: linksLeft < Self.links)
    }

    /// Goes on where a link leads.
    ///
    /// - Returns: whether the name is a link at all.
    private mutating func follow(_ name: ArraySlice<UInt8>) throws(OpenedFile.Problem) -> Bool {
        let link = try Self.entry(name, of: directory.descriptor, isDirectory: false)
        let text = (place + [String(decoding: name, as: UTF8.self)]).joined(separator: "/")
        let facts = try Self.facts(of: link.descriptor, text)
        guard facts.isLink else { return false }
        if isShared, let distrust = facts.foreignOwner(trusting: FileFacts.trusted) {
            throw .distrusted(onTheWay("/" + text, distrust))
        }
        linksLeft -= 1
        guard linksLeft >= 0 else {
            throw .failed(
                SystemError(operation: "open", subject: goal, errno: .tooManySymbolicLinkLevels))
        }
        let target = try Self.target(of: link.descriptor, text)
        if target.first == UInt8(ascii: "/") {
            try enter(Self.root())
            place = []
        }
        add(target)
        return true
    }

    private static func target(
        of link: FileDescriptor, _ subject: String
    ) throws(OpenedFile.Problem) -> [UInt8] {
        var bytes = [CChar](repeating: 0, count: longestTarget)
        do throws(SystemError) {
            let count = try systemCall("readlink", subject) {
                clinux_link_target(link.rawValue, &bytes, bytes.count)
            }
            return bytes.prefix(count).map { UInt8(bitPattern: $0) }
        } catch {
            throw .failed(error)
        }
    }

    private static func facts(
        of descriptor: FileDescriptor, _ subject: String
    ) throws(OpenedFile.Problem) -> FileFacts {
        do throws(SystemError) {
            return try FileFacts(of: descriptor, subject: subject)
        } catch {
            throw .failed(error)
        }
    }

    /// Opens an entry to look at it, without following a link.
    private static func entry(
        _ name: ArraySlice<UInt8>, of directory: FileDescriptor, isDirectory: Bool = true
    ) throws(OpenedFile.Problem) -> OwnedDescriptor {
        try adopt("open", String(decoding: name, as: UTF8.self)) {
            name.withCString { clinux_open_entry(directory.rawValue, $0, isDirectory) }
        }
    }

    private static func adopt(
        _ operation: String, _ subject: String, _ call: () -> Int32
    ) throws(OpenedFile.Problem) -> OwnedDescriptor {
        do throws(SystemError) {
            return OwnedDescriptor(
                adopting: FileDescriptor(rawValue: try systemCall(operation, subject, call)))
        } catch {
            throw .failed(error)
        }
    }
}

extension ArraySlice<UInt8> {
    /// - Precondition: holds no NUL, as no name in a directory does.
    func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value {
        (map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("it has a NUL") }
            return body(base)
        }
    }
}
