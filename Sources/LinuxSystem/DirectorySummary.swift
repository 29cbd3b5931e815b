internal import Glibc

/// The files of a directory as far as tells that one of them is another, or has other content, than
/// before: without reading any.
struct DirectorySummary: Hashable, Sendable {
    private struct File: Hashable, Sendable {
        let name: [UInt8]
        /// Of what links lead to; nil where that is nothing.
        let status: Status?
    }

    private struct Status: Hashable, Sendable {
        let device: UInt64
        let inode: UInt64
        let mode: UInt32
        let owner: UInt32
        let group: UInt32
        let size: Int64
        /// Of content and of everything else, in seconds and nanoseconds: nobody can set the second.
        let times: [Int]

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            mode = status.st_mode
            owner = status.st_uid
            group = status.st_gid
            size = Int64(status.st_size)
            times = [
                status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                status.st_ctim.tv_nsec,
            ]
        }
    }

    private let directory: Status?
    /// In byte order; empty where they can't be listed.
    private let files: [File]

    init(of path: String) {
        var status = stat()
        directory = stat(path, &status) == 0 ? Status(status) : nil
        guard let stream = opendir(path) else {
            files = []
            return
        }
        defer { closedir(stream) }
        var found: [File] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) {
                    Array(
                        UnsafeBufferPointer(
                            start: $0,
                            count: strlen(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)))
                    )
                }
            }
            let isThere = (name + [0]).withUnsafeBytes { bytes in
                bytes.baseAddress.map {
                    fstatat(dirfd(stream), $0.assumingMemoryBound(to: CChar.self), &status, 0) == 0
                } ?? false
            }
            found.append(File(name: name, status: isThere ? Status(status) : nil))
        }
        files = found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }
}
