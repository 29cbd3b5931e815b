import DeploymentGenerator
import Glibc
import Testing

@testable import Enforcement
@testable import Reports

@Suite struct GenerationStoreTests {
    let directory: TemporaryDirectory
    let store: GenerationStore

    init() throws {
        directory = try TemporaryDirectory()
        store = GenerationStore(directory: directory.path)
        try store.prepare()
    }

    @Test func readsBackWhatWasWritten() throws {
        #expect(try store.standing() == nil)
        #expect(try store.numbers() == [])
        let generation = try generation(3)
        try store.write(generation)
        #expect(try store.generation(3) == generation)
        let standing = Standing(
            generation: 3, newest: 5, hold: Hold(.probe, against: "d", explanation: "e"),
            pending: Pending(
                deadline: Deadline(after: .seconds(60), by: ManualClock()), fallback: 2,
                configurationDigest: "d"))
        try store.write(standing)
        #expect(try GenerationStore(directory: directory.path).standing() == standing)
        try store.remove(3)
        try store.remove(3)
        #expect(throws: StoreError.self) { try store.generation(3) }
    }

    @Test func aSummaryTellsWhatTheGenerationDoes() throws {
        let stored = try generation(3)
        try store.stage(stored)
        let summary = GenerationSummary(stored)
        #expect(try store.summary(3) == summary)
        #expect(try store.numbers() == [3])
        // A list reads no more than that.
        let file = "generations/3.json"
        let bytes = try directory.bytes(of: file)
        try directory.write([], to: file)
        #expect(try store.summary(3) == summary)
        // Where it is damaged, of another generation or missing, as an earlier version left it.
        try directory.write(bytes, to: file)
        for damage in [[], Array("sha256 0\n{}".utf8)] {
            try directory.write(damage, to: "generations/3.summary.json")
            #expect(try store.summary(3) == summary)
        }
        try store.stage(try generation(4))
        try directory.write(
            directory.bytes(of: "generations/4.summary.json"), to: "generations/3.summary.json")
        #expect(try store.summary(3) == summary)
        try directory.remove("generations/3.summary.json")
        #expect(try store.summary(3) == summary)
        try store.remove(3)
        try store.remove(4)
        #expect(try directory.names("generations") == [])
        #expect(throws: StoreError.self) { try store.summary(3) }
    }

    @Test func otherFilesAreNoGenerations() throws {
        for number in [10, 9, 100] { try store.write(try generation(number)) }
        for name in ["x.json", "07.json", "+7.json", "-1.json", "0.json", "9.json.bak", "8"] {
            try directory.write([], to: "generations/\(name)")
        }
        #expect(try store.numbers() == [9, 10, 100])
    }

    @Test func onlyItsOwnNumberIsAGeneration() throws {
        try store.write(try generation(1))
        try directory.write(directory.bytes(of: "generations/1.json"), to: "generations/2.json")
        let error = #expect(throws: StoreError.self) { try store.generation(2) }
        #expect(error?.description.contains("holds generation 1") == true)
    }

    @Test func prunesTheOldestAndNeverThoseNeeded() throws {
        for number in 1...25 { try store.write(try generation(number)) }
        try store.prune(keeping: [1, 2])
        #expect(try store.numbers() == [1, 2] + Array(5...25))
        #expect(GenerationStore.kept == 20)
    }

    @Test func whatCannotBeRemovedKeepsNothingElse() throws {
        for number in 1...25 { try store.write(try generation(number)) }
        try directory.remove("generations/2.json")
        try directory.makeDirectory("generations/2.json")
        let error = #expect(throws: StoreError.self) { try store.prune(keeping: [25]) }
        #expect(error?.description.contains("generations/2.json: Is a directory") == true)
        #expect(try store.numbers() == [2] + Array(5...25))
    }

    @Test func directoriesThatWereTakenAwayAreMadeAgain() throws {
        try store.write(try generation(1))
        try directory.remove("")
        try store.write(try generation(2))
        try store.write(Standing(generation: 2, newest: 2))
        #expect(try directory.names() == ["generations", "standing.json"])
        #expect(try store.numbers() == [2])
    }

    @Test func temporaryFilesOfAKilledProcessGo() throws {
        try store.write(try generation(1))
        try directory.write([1], to: "generations/.2.json.77.1.tmp")
        try directory.write([1], to: ".standing.json.77.1.tmp")
        try store.prepare()
        #expect(try directory.names() == ["generations"])
        #expect(try directory.names("generations") == ["1.json"])
    }

    @Test func everyPrefixOfTheRecordIsRefused() throws {
        try store.write(Standing(generation: 3, newest: 5, hold: Hold(.rollback, against: "d")))
        let whole = try directory.bytes(of: "standing.json")
        for length in 0..<whole.count {
            try directory.write(Array(whole[..<length]), to: "standing.json")
            #expect(throws: StoreError.self, "\(length) bytes") { try store.standing() }
        }
        try directory.write(whole + [0x20], to: "standing.json")
        #expect(throws: StoreError.self) { try store.standing() }
    }

    /// Every length near the ends, and every so many bytes between.
    @Test func prefixesOfAGenerationAreRefused() throws {
        try store.write(try generation(1))
        let whole = try directory.bytes(of: "generations/1.json")
        let lengths =
            Array(0..<200) + Array(stride(from: 200, to: whole.count, by: 997))
            + Array(whole.count - 50..<whole.count)
        for length in lengths {
            try directory.write(Array(whole[..<length]), to: "generations/1.json")
            #expect(throws: StoreError.self, "\(length) bytes") { try store.generation(1) }
        }
    }

    @Test func noFlippedBitIsAccepted() throws {
        try store.write(try generation(1))
        let whole = try directory.bytes(of: "generations/1.json")
        var random = SeededGenerator(seed: 4)
        let places =
            Array(0..<80) + (0..<200).map { _ in Int.random(in: 0..<whole.count, using: &random) }
        for place in places {
            var damaged = whole
            damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try directory.write(damaged, to: "generations/1.json")
            #expect(throws: StoreError.self, "byte \(place)") { try store.generation(1) }
        }
        try directory.write(whole, to: "generations/1.json")
        #expect(try store.generation(1).number == 1)
    }

    /// A file of another version is whole but not understood.
    @Test func wholeFilesOfAnotherShapeAreRefused() throws {
        let body = Array("{\"generation\": \"three\"}".utf8)
        let digest = SHA256Digest(of: [body]).hexadecimal
        try directory.write(Array("sha256 \(digest)\n".utf8) + body, to: "standing.json")
        let error = #expect(throws: StoreError.self) { try store.standing() }
        #expect(error?.description.contains("not of this version") == true)
    }

    @Test func aFullFileSystemLeavesTheOldFileWhole() throws {
        let small = try SmallFileSystem(kibibytes: 512)
        let store = GenerationStore(directory: small.directory.path)
        try store.write(try generation(1))
        try store.write(Standing(generation: 1, newest: 1))
        try small.fill()
        let error = #expect(throws: StoreError.self) { try store.write(try generation(1, 2)) }
        #expect(error?.description.contains("No space left on device") == true)
        #expect(throws: StoreError.self) { try store.write(Standing(generation: 2, newest: 2)) }
        #expect(try store.generation(1) == generation(1))
        #expect(try store.standing()?.generation == 1)
        #expect(try small.directory.names("generations") == ["1.json"])
        #expect(try small.directory.names() == ["filler", "generations", "standing.json"])
    }

    @Test func aReadOnlyFileSystemIsReadAndNotWritten() throws {
        let small = try SmallFileSystem(kibibytes: 512)
        try GenerationStore(directory: small.directory.path).write(try generation(1))
        try small.setReadOnly(true)
        let store = GenerationStore(directory: small.directory.path)
        let refusal = #expect(throws: StoreError.self) { try store.prepare() }
        #expect(
            refusal?.description
                == "can't write the state directory \(small.directory.path): Read-only file system (mount it writable)"
        )
        #expect(try store.generation(1).number == 1)
        let error = #expect(throws: StoreError.self) { try store.remove(1) }
        #expect(error?.description.contains("Read-only file system") == true)
        #expect(throws: StoreError.self) { try store.write(try generation(2)) }
    }

    /// What others could write there would be in force after the next start.
    @Test func whatOthersCouldWriteIsNotTrusted() throws {
        let store = store
        try store.prepare()
        try store.write(try generation(1))
        let path = directory.path
        for (place, shown) in [(path, path), ("\(path)/generations", "\(path)/generations")] {
            try #require(chown(place, 0, 1234) == 0, "needs root")
            try #require(chmod(place, 0o770) == 0)
            for body in [store.prepare, { try store.write(try generation(2)) }] {
                let error = #expect(throws: StoreError.self) { try body() }
                #expect(
                    error?.description
                        == "can't trust the state directory: \(shown) can be written by group 1234: run chmod g-w \(shown)"
                )
            }
            // What is there is root's own all the same.
            #expect(try store.generation(1).number == 1)
            try #require(chmod(place, 0o750) == 0)
            try store.prepare()
        }
        let file = "\(path)/generations/1.json"
        try #require(chown(file, 1234, 0) == 0)
        let error = #expect(throws: StoreError.self) { try store.generation(1) }
        #expect(
            error?.description
                == "\(file) is owned by user 1234, who could change it: run chown root \(file)")
        // Who only looks believes the agent's own user, whose the directory is.
        #expect(throws: StoreError.self) {
            try GenerationStore(ofAgentAt: path).generation(1)
        }
        try #require(chown(path, 1234, 0) == 0)
        #expect(try GenerationStore(ofAgentAt: path).generation(1).number == 1)
    }

    @Test func saysWhyThereIsNoDirectory() throws {
        try directory.write([], to: "file")
        for path in ["file", "file/below", "missing/below"] {
            #expect(throws: StoreError.self) {
                try GenerationStore(directory: directory.appending(path)).prepare()
            }
        }
    }
}
