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

    /// The name that a misnamed file was probably to have: `20.yaml` for `20.YML`, `20.json` and
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

extension [UInt8] {
    fileprivate func ends(with ending: [UInt8]) -> Bool { suffix(ending.count) == ending[...] }
}
