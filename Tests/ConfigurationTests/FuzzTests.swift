import Configuration
import DeploymentGenerator
import Site
import Testing

@Suite struct FuzzTests {
    private static let pieces: [String] = [
        "[", "]", "{", "}", ":", ": ", "- ", "\n", "  ", "\t", "#", "\"", "'", "&a ", "*a",
        "!!str ",
        "|\n", ">", "?", ",", "~", "---\n", "...\n", "%YAML", "<<", "@", "any", "all", "nodes",
        "ports",
        "0", "-", "65536", "99999999999999999999", "10.0.0.1", "10.0.0.0/8", "::", "true", "yes",
        "\u{0}", "\u{2028}", "é", "\u{feff}", "conferencing", "\"@office\"", "enforce: [a]\n",
    ]

    /// 12,000 files, each a few mutations away from one that is right.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func mutatedFiles(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let lines = DecodingTests.example.split(separator: "\n")
        var deployments = 0
        for round in 0..<3_000 {
            // Without a few lines, so that what stands below others meets other neighbours.
            var kept = lines
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                kept.remove(at: Int.random(in: 0..<kept.count, using: &random))
            }
            var bytes = Array(kept.joined(separator: "\n").utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&bytes, &random) }
            let source = ConfigurationSource(path: "b.yaml", bytes: bytes)
            let base = ConfigurationSource(path: "a.yaml", text: DecodingTests.example)
            // Half of them as drop-ins, so that what decodes is not always incomplete.
            let sources = round.isMultiple(of: 2) ? [source] : [base, source]
            let loaded = LoadedConfiguration(parsing: sources)
            check(loaded, sources, "seed \(seed), round \(round)")
            if loaded.deployment != nil { deployments += 1 }
        }
        // Some mutations are harmless; if none were, the others would prove little.
        #expect(deployments > 0, "seed \(seed)")
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let position = Int.random(in: 0...bytes.count, using: &random)
        let rest = bytes.count - position
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
        case 1:
            bytes.removeSubrange(
                position..<(position + Int.random(in: 0...min(rest, 12), using: &random)))
        case 2:
            let length = Int.random(in: 0...min(rest, 60), using: &random)
            bytes.insert(contentsOf: bytes[position..<(position + length)], at: position)
        case 3 where rest > 0:
            bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        default:
            bytes.insert(
                contentsOf: Self.pieces.randomElement(using: &random)!.utf8, at: position)
        }
    }

    private func check(
        _ loaded: LoadedConfiguration, _ sources: [ConfigurationSource], _ origin: String
    ) {
        #expect(!loaded.hasErrors || loaded.deployment == nil, "\(origin)")
        var widths: [String: [Int]] = [:]
        for diagnostic in loaded.diagnostics {
            guard let location = diagnostic.location else { continue }
            guard let source = sources.first(where: { $0.path == location.file }) else {
                Issue.record("\(origin): \(diagnostic) is in no file")
                continue
            }
            let lines = widths[source.path] ?? lineWidths(of: source.bytes)
            widths[source.path] = lines
            let isInside =
                (1...lines.count).contains(location.line)
                && (1...(lines[location.line - 1] + 1)).contains(location.column)
            if !isInside || diagnostic.message.isEmpty {
                Issue.record(
                    "\(origin): \(diagnostic) in \(String(reflecting: String(decoding: source.bytes, as: UTF8.self)))"
                )
            }
        }
    }

    /// How many characters each line has, at least: a byte that is not UTF-8 counts as one.
    private func lineWidths(of bytes: [UInt8]) -> [Int] {
        var widths = [0]
        var previous: UInt8 = 0
        for byte in bytes {
            switch byte {
            case 0x0a where previous == 0x0d: break
            case 0x0a, 0x0d: widths.append(0)
            // A continuation byte is part of a character.
            case 0x80...0xbf: break
            default: widths[widths.count - 1] += 1
            }
            previous = byte
        }
        return widths
    }
}
