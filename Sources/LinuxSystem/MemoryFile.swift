internal import CLinux
internal import Glibc
internal import SystemPackage

/// A file without a name in any directory, for libraries that read files only.
package struct MemoryFile: ~Copyable {
    private let owned: OwnedDescriptor

    /// - Parameter name: shown in `/proc` as what the descriptor leads to.
    /// - Throws: ``SystemError``, such as where memory is short.
    package init(holding bytes: [UInt8], name: String) throws(SystemError) {
        let raw = try systemCall("memfd_create", name) { clinux_memory_file(name) }
        let owned = OwnedDescriptor(adopting: FileDescriptor(rawValue: raw))
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try systemCall("write", name) {
                rest.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
            }
            rest.removeFirst(count)
        }
        self.owned = owned
    }

    /// A path by which this process can open the file while this value lives.
    package var path: String { "/proc/self/fd/\(owned.descriptor.rawValue)" }
}
