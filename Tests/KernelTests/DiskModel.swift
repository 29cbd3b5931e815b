import DeploymentGenerator
import Foundation
import TestSupport

/// What of a process's writes a power cut may leave.
///
/// A file's content is safe once the file was flushed; before, any prefix of it may be there, or
/// zeros. A name that was added, moved or removed is safe once its directory was flushed; before,
/// each of these may have happened or not, whatever came after it. This is less than file systems
/// promise.
struct DiskModel {
    enum Entry: Hashable {
        case file(Int)
        case directory
    }

    /// What is found after the cut, by path; nil for a directory.
    typealias Image = [String: [UInt8]?]

    private struct File {
        var content: [UInt8]
        var safe: [UInt8]
    }

    private enum Change {
        case add(String, Entry)
        case move(String, to: String, Entry)
        case remove(String)
    }

    private var files: [File] = []
    /// As the running system sees it, by path.
    private var present: [String: Entry] = [:]
    /// As the disk has it for certain, by the directory's path and the name in it.
    private var safe: [String: [String: Entry]] = [:]
    /// What is not on the disk for certain, in the order in which it happened.
    private var pending: [(directory: String, change: Change)] = []

    /// With all that is in a directory now on the disk.
    init(_ directory: URL) throws {
        let files = FileManager.default
        guard files.fileExists(atPath: directory.path) else { return }
        for path in try files.subpathsOfDirectory(atPath: directory.path) {
            let url = directory.appending(path: path)
            let (parent, name) = Self.split(path)
            let entry: Entry
            if try url.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
                entry = .directory
            } else {
                let bytes = Array(try Data(contentsOf: url))
                self.files.append(File(content: bytes, safe: bytes))
                entry = .file(self.files.count - 1)
            }
            present[path] = entry
            safe[parent, default: [:]][name] = entry
        }
    }

    mutating func apply(_ event: WriteTrace.Event) throws {
        switch event {
        case .makeDirectory(let path): add(path, .directory)
        case .create(let path):
            files.append(File(content: [], safe: []))
            add(path, .file(files.count - 1))
        case .write(let path, let bytes): files[try file(path)].content += bytes
        case .rename(let source, let target):
            let (parent, name) = Self.split(source)
            let (targetParent, targetName) = Self.split(target)
            guard parent == targetParent, let entry = present.removeValue(forKey: source) else {
                throw TestSupportError("the model of a disk can't rename \(source) to \(target)")
            }
            present[target] = entry
            pending.append((parent, .move(name, to: targetName, entry)))
        case .remove(let path):
            present[path] = nil
            let (parent, name) = Self.split(path)
            pending.append((parent, .remove(name)))
        case .sync(let path):
            if case .file(let index)? = present[path] {
                files[index].safe = files[index].content
            } else {
                for case (path, let change) in pending {
                    Self.make(change, in: &safe[path, default: [:]])
                }
                pending.removeAll { $0.directory == path }
            }
        case .reply: break
        }
    }

    private mutating func add(_ path: String, _ entry: Entry) {
        present[path] = entry
        let (parent, name) = Self.split(path)
        pending.append((parent, .add(name, entry)))
    }

    private func file(_ path: String) throws -> Int {
        guard case .file(let index)? = present[path] else {
            throw TestSupportError("the model of a disk has no file \(path)")
        }
        return index
    }

    private static func make(_ change: Change, in directory: inout [String: Entry]) {
        switch change {
        case .add(let name, let entry): directory[name] = entry
        case .move(let source, let target, let entry):
            directory[source] = nil
            directory[target] = entry
        case .remove(let name): directory[name] = nil
        }
    }

    /// "a/b" is "b" in "a".
    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<slash]), String(path[path.index(after: slash)...]))
    }

    // MARK: After the cut

    /// What a cut now may leave: everything where few writes are not safe, else a sample.
    func images(using random: inout SeededGenerator) -> Set<Image> {
        var images: Set<Image> = []
        for happened in selections(of: pending.count, using: &random) {
            for content in Self.contents { images.insert(image(happened, content)) }
        }
        return images
    }

    private func selections(
        of count: Int, using random: inout SeededGenerator
    ) -> [[Bool]] {
        if count <= 5 {
            return (0..<(1 << count)).map { bits in (0..<count).map { bits >> $0 & 1 == 1 } }
        }
        let prefixes = (0...count).map { length in (0..<count).map { $0 < length } }
        let single = (0..<count).map { index in (0..<count).map { $0 == index } }
        let others = (0..<32).map { _ in (0..<count).map { _ in Bool.random(using: &random) } }
        return prefixes + single + single.map { $0.map(!) } + others
    }

    /// What may be in a file that was not flushed.
    private static let contents: [@Sendable (_ safe: [UInt8], _ content: [UInt8]) -> [UInt8]] = [
        { safe, _ in safe },
        { _, content in content },
        { _, content in Array(content.dropLast()) },
        { _, content in Array(content.prefix(content.count / 2)) },
        { _, content in Array(content.prefix(72)) },
        { _, content in Array(content.prefix(1)) },
        { _, content in [UInt8](repeating: 0, count: content.count) },
    ]

    private func image(
        _ happened: [Bool], _ content: (_ safe: [UInt8], _ content: [UInt8]) -> [UInt8]
    ) -> Image {
        var directories = safe
        for (change, happened) in zip(pending, happened) where happened {
            Self.make(change.change, in: &directories[change.directory, default: [:]])
        }
        var image: Image = [:]
        func collect(_ directory: String) {
            for (name, entry) in directories[directory] ?? [:] {
                let path = directory.isEmpty ? name : "\(directory)/\(name)"
                switch entry {
                case .file(let index):
                    let file = files[index]
                    image[path] = .some(
                        file.safe == file.content
                            ? file.content : content(file.safe, file.content))
                case .directory:
                    image.updateValue(nil, forKey: path)
                    collect(path)
                }
            }
        }
        collect("")
        return image
    }
}

extension DiskModel.Image {
    /// Makes these files in an empty directory.
    func write(to directory: URL) throws {
        for (path, bytes) in sorted(by: { $0.key < $1.key }) {
            let url = directory.appending(path: path)
            if let bytes {
                try Data(bytes).write(to: url)
            } else {
                try FileManager.default.createDirectory(
                    at: url, withIntermediateDirectories: false)
            }
        }
    }
}
