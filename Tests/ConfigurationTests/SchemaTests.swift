import Authoring
import DeploymentGenerator
import Foundation
import JSONValue
import TestSupport
import Testing

@testable import Configuration
@testable import Site

/// The schema that editors use, by the judgement of an independent validator, and the parser say the
/// same of every file, but for the mistakes of ``UnseenBySchema``.
@Suite struct SchemaTests {
    /// What the validator says of each text: nil where it is valid.
    private static func verdicts(_ texts: [String]) throws -> [String?] {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "schema_verdicts.py").path
        let request = JSONValue.object([
            "schema": ConfigurationSchema.document,
            "texts": .array(texts.map(JSONValue.string)),
        ])
        // Debian's, which has Debian's modules.
        let result = try ChildProcess.run(
            ["/usr/bin/python3", script],
            input: .text(String(decoding: request.serialized, as: UTF8.self)),
            timeout: .seconds(120)
        ).requireSuccess()
        let answer = try JSONValue(parsing: Array(result.standardOutput.utf8))
        let verdicts = try #require(answer.array).map(\.string)
        try #require(verdicts.count == texts.count)
        return verdicts
    }

    /// Compares both verdicts.
    ///
    /// - Returns: how many texts the schema takes, and which mistakes only the parser sees in them.
    @discardableResult
    private static func compare(
        _ texts: [String], _ origin: String = ""
    ) throws -> (valid: Int, unseen: Set<UnseenBySchema>) {
        var unseen: Set<UnseenBySchema> = []
        let verdicts = try verdicts(texts)
        for (text, verdict) in zip(texts, verdicts) {
            let errors = load(text).diagnostics.filter { $0.severity == .error }.map(\.message)
            if let verdict {
                #expect(
                    !errors.isEmpty, "\(origin): valid, but the schema says \(verdict) of\n\(text)")
                continue
            }
            // A reader keeps one value of a key that stands there twice; the other may hold anything.
            let ambiguous = try errors.filter { try UnseenBySchema.notation.covers($0) }
            for error in ambiguous.isEmpty ? errors : ambiguous {
                let classes = try UnseenBySchema.allCases.filter { try $0.covers(error) }
                #expect(
                    classes.count == 1, "\(origin): the schema does not see: \(error) in\n\(text)")
                unseen.formUnion(classes)
            }
        }
        return (verdicts.count { $0 == nil }, unseen)
    }

    private static func examples(_ folder: String) throws -> [(name: String, text: String)] {
        let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "Examples/\(folder)").path
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        try #require(!names.isEmpty)
        return try names.map {
            ($0, try String(contentsOfFile: "\(directory)/\($0)", encoding: .utf8))
        }
    }

    @Test func validExamplesAreValidToBoth() throws {
        let examples = try Self.examples("valid")
        for (example, verdict) in zip(examples, try Self.verdicts(examples.map(\.text))) {
            #expect(verdict == nil, "\(example.name)")
            // A file may go with others.
            #expect(load(files: node, example.text).diagnostics == [], "\(example.name)")
        }
    }

    @Test func invalidExamplesAreInvalidToBoth() throws {
        let examples = try Self.examples("invalid")
        for (example, verdict) in zip(examples, try Self.verdicts(examples.map(\.text))) {
            #expect(verdict != nil, "\(example.name)")
            #expect(load(example.text).hasErrors, "\(example.name)")
        }
    }

    @Test func everyClassOfUnseenMistakesHasAnExample() throws {
        let examples = try Self.examples("unseen")
        #expect(
            examples.map(\.name).sorted() == UnseenBySchema.allCases.map { "\($0).yaml" }.sorted())
        for example in examples {
            let name = String(example.name.dropLast(".yaml".count))
            let unseen = try Self.compare([example.text], example.name).unseen
            #expect(unseen == [try #require(UnseenBySchema(rawValue: name))], "\(example.name)")
        }
    }

    @Test func faultyFilesOfOtherTests() throws {
        let files =
            FaultyFile.syntax + FaultyFile.settings + FaultyFile.portsAndRanges
            + FaultyFile.addresses + FaultyFile.nodes + FaultyFile.rules
        try Self.compare(files.map(\.text))
    }

    /// What is packaged, and what the documentation shows.
    @Test func shippedFiles() throws {
        let packaging = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../packaging").standardized
        for path in ["example/10-deployment.yaml", "debian/00-example.yaml"] {
            let text = try String(contentsOf: packaging.appending(path: path), encoding: .utf8)
            #expect(text.hasPrefix(ConfigurationSchema.modeline + "\n"), "\(path)")
            #expect(try Self.verdicts([text]) == [nil], "\(path)")
            #expect(!load(text).hasErrors, "\(path)")
        }
    }

    /// What a fresh installation offers as comments, to be taken over.
    @Test func packagedExampleWithoutItsMarks() throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../packaging/debian/00-example.yaml").standardized
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        let text = lines.drop { $0 != "# version: 1" }.map { $0.dropFirst(2) }
            .joined(separator: "\n")
        #expect(try Self.verdicts([text]) == [nil])
        let loaded = load(text)
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment?.nodes.count == 2)
    }

    /// Every deployment that the configuration can express, written out.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func generatedDeployments(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var texts: [String] = []
        for round in 0..<40 {
            var deployment = generator.deployment(
                placement: round.isMultiple(of: 2) ? .local : .gateway)
            deployment.rules.removeAll { $0.nodes.isEmpty }
            texts.append(deployment.configurationText)
            #expect(
                load(deployment.configurationText).deployment == deployment,
                "seed \(seed), round \(round): \(load(deployment.configurationText).diagnostics)")
        }
        #expect(try Self.verdicts(texts) == texts.map { _ in nil }, "seed \(seed)")
    }

    /// Files a mistake or two away from right ones.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func mutatedFiles(seed: UInt64) throws {
        var generator = DeploymentGenerator(seed: seed)
        var trees = [try ConfigurationTree(DecodingTests.example)]
        for example in try Self.examples("valid") {
            trees.append(try ConfigurationTree(example.text))
        }
        var texts: [String] = []
        for round in 0..<500 {
            var tree =
                round.isMultiple(of: 5)
                ? try ConfigurationTree(generator.deployment(nodeCount: 2).configurationText)
                : generator.random.pick(trees)
            for _ in 0..<generator.random.pick([1, 1, 2]) { tree.mutate(&generator.random) }
            texts.append(tree.text)
        }
        let (valid, unseen) = try Self.compare(texts, "seed \(seed)")
        // Were all of one kind, they would prove little.
        #expect((50..<450).contains(valid), "seed \(seed): \(valid) of \(texts.count) are valid")
        #expect(unseen.isSuperset(of: [.merging, .reference]), "seed \(seed): \(unseen)")
    }

    /// Defaults are those of the parser: a file that spells them out means the same.
    @Test func defaultsAreTheParsers() throws {
        func defaults(_ schema: JSONValue) -> JSONObject {
            var result: JSONObject = [:]
            for (key, value) in schema["properties"]?.object ?? [:] {
                if let value = value["default"] { result[key] = value }
                let below = defaults(value)
                if !below.isEmpty { result[key] = .object(below) }
            }
            return result
        }
        let text = String(
            decoding: JSONValue.object(defaults(ConfigurationSchema.document)).serialized,
            as: UTF8.self)
        // JSON is YAML.
        let loaded = LoadedConfiguration(parsing: [
            ConfigurationSource(path: "1.yaml", text: node),
            ConfigurationSource(path: "2.yaml", text: text),
        ])
        #expect(loaded.diagnostics == [])
        #expect(loaded.deployment == load(node).deployment)
        for key in RootKey.allCases {
            let schema = ConfigurationSchema.document["properties"]?[key.rawValue]
            #expect(schema?["description"]?.string?.isEmpty == false, "\(key)")
        }
    }
}
