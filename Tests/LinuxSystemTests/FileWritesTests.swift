import Foundation
import Glibc
import Testing

@testable import LinuxSystem

/// What inotify tells of writers, put together.
@Suite struct FileWritesTests {
    private static let start = ContinuousClock.now
    private static let name = Array("a.yaml".utf8)
    private static let other = Array("b.yaml".utf8)

    private func writes(_ events: FileWrites.Event...) -> FileWrites {
        var writes = FileWrites()
        writes.took(upTo: 0)
        for event in events { writes.add(event, Self.name, matters: true, at: Self.start) }
        return writes
    }

    @Test(
        arguments: [
            ([.created], false), ([.created, .modified], false), ([.created, .closed], true),
            ([.created, .modified, .closed], true), ([.modified], false),
            ([.modified, .closed], true),
            ([.modified, .attributes], false), ([.attributes], true), ([.movedIn(cookie: 1)], true),
            ([.modified, .closed, .modified], false), ([.modified, .movedIn(cookie: 1)], true),
            ([.deleted], true), ([.modified, .deleted], true), ([.movedOut(cookie: 1)], true),
        ] as [([FileWrites.Event], Bool)])
    func aFileIsWholeWhenItsLastWriterClosedIt(_ events: [FileWrites.Event], _ isWhole: Bool) {
        var writes = writes()
        for event in events { writes.add(event, Self.name, matters: true, at: Self.start) }
        #expect(writes.open == (isWhole ? [] : [Self.name]))
        #expect(writes.told == (isWhole ? [Self.name] : []))
        #expect(writes.events == events.count)
    }

    @Test func aWriterGoesOnUnderANewName() {
        var writes = writes(.created, .modified, .movedOut(cookie: 7))
        writes.add(.movedIn(cookie: 7), Self.other, matters: true, at: Self.start)
        #expect(writes.open == [Self.other])
        writes.add(.closed, Self.other, matters: true, at: Self.start)
        #expect(writes.open == [])
        // From elsewhere it is another file.
        writes.add(.modified, Self.name, matters: true, at: Self.start)
        writes.add(.movedOut(cookie: 8), Self.name, matters: true, at: Self.start)
        writes.add(.movedIn(cookie: 9), Self.other, matters: true, at: Self.start)
        #expect(writes.open == [])
        #expect(writes.told == [Self.name, Self.other])
    }

    @Test func aNameThatVanishesIsWaitedFor() {
        var writes = writes(.deleted)
        let later = Self.start + .milliseconds(400)
        #expect(writes.awaited(at: later)?.time == .milliseconds(600))
        writes.add(.movedOut(cookie: 1), Self.other, matters: true, at: later)
        #expect(writes.awaited(at: later)?.time == .seconds(1))
        #expect(Set(writes.awaited(at: later)?.names ?? []) == [Self.name, Self.other])
        writes.add(.created, Self.other, matters: true, at: later)
        #expect(writes.awaited(at: later)?.time == .milliseconds(600))
        #expect(writes.awaited(at: Self.start + .seconds(1)) == nil)
        writes.add(.deleted, Array(".x".utf8), matters: false, at: later)
        #expect(writes.awaited(at: later) == nil)
    }

    /// Only what changes a file while it is read, or takes it away, can make the reading half.
    @Test func whatTearsAReading() {
        let counts: [(FileWrites.Event, Bool)] = [
            (.created, true), (.modified, true), (.closed, false), (.attributes, false),
            (.deleted, true), (.movedOut(cookie: 1), true), (.movedIn(cookie: 2), false),
        ]
        for (event, tears) in counts {
            var writes = writes()
            let before = writes.tears
            writes.add(event, Self.name, matters: false, at: Self.start)
            #expect(writes.tears == before)
            writes.add(event, Self.name, matters: true, at: Self.start)
            #expect((writes.tears > before) == tears, "\(event)")
        }
    }

    @Test func whatIsReadIsKnownUpToThen() {
        var writes = writes(.modified, .closed)
        let seen = writes.events
        writes.add(.movedIn(cookie: 1), Self.name, matters: true, at: Self.start)
        writes.add(.closed, Self.other, matters: true, at: Self.start)
        writes.took(upTo: seen)
        #expect(writes.told == [Self.name, Self.other])
        writes.took(upTo: writes.events)
        #expect(writes.told == [])
    }

    @Test func afterLostEventsNothingIsKnown() {
        var writes = writes(.modified)
        let tears = writes.tears
        writes.forget()
        #expect(writes.open == [])
        #expect(writes.tears > tears)
        writes.add(.closed, Self.other, matters: true, at: Self.start)
        #expect(writes.isUnknown)
        #expect(writes.told == [])
        let seen = writes.events
        writes.forget()
        // What was read before tells nothing of what was lost since.
        writes.took(upTo: seen)
        #expect(writes.isUnknown)
        writes.took(upTo: writes.events)
        #expect(!writes.isUnknown)
        // More names than are told apart are as if they were lost.
        for number in 0..<10_000 {
            writes.add(.modified, Array("\(number)".utf8), matters: true, at: Self.start)
        }
        #expect(writes.isUnknown)
        #expect(writes.open.count < 9_000)
    }

    // MARK: The kernel's events

    private let directory: TemporaryDirectory
    private let watch: DirectoryWatch

    init() throws {
        directory = try TemporaryDirectory()
        watch = try DirectoryWatch(path: directory.path) {
            $0.suffix(5) == Array(".yaml".utf8)[...]
        }
        watch.took(watch.look())
    }

    private func look() -> (unclosed: [String], told: Set<String>) {
        let state = watch.look()
        watch.took(state)
        func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }
        return (state.unclosed.map(text), Set(state.told.map(text)))
    }

    private func opened(_ name: String, _ flags: Int32) throws -> FileHandle {
        let file = open(directory.appending(name), flags | O_CLOEXEC, 0o644)
        try #require(file >= 0)
        return FileHandle(fileDescriptor: file, closeOnDealloc: true)
    }

    @Test func writersOfAllKinds() throws {
        let file = try opened("a.yaml", O_CREAT | O_RDWR)
        #expect(look() == (["a.yaml"], []))
        try file.write(contentsOf: Data("text".utf8))
        // A reader is none of them.
        #expect(try Data(contentsOf: URL(filePath: directory.appending("a.yaml"))).count == 4)
        #expect(look() == (["a.yaml"], []))
        // A mapping goes on when the descriptor is closed.
        let map = mmap(nil, 4, PROT_WRITE, MAP_SHARED, file.fileDescriptor, 0)
        try #require(map != MAP_FAILED)
        try file.close()
        #expect(look() == (["a.yaml"], []))
        #expect(munmap(map, 4) == 0)
        #expect(look() == ([], ["a.yaml"]))
        #expect(look() == ([], []))

        let again = try opened("a.yaml", O_WRONLY | O_TRUNC)
        #expect(look() == (["a.yaml"], []))
        // Unlinked, it is nobody's business.
        try directory.remove("a.yaml")
        try again.write(contentsOf: Data("text".utf8))
        #expect(look() == ([], ["a.yaml"]))
        try again.close()
        #expect(look() == ([], []))
    }

    @Test func namesOfWholeFiles() throws {
        try directory.write("text", to: "temporary")
        #expect(look() == ([], []))
        #expect(link(directory.appending("temporary"), directory.appending("a.yaml")) == 0)
        #expect(symlink("temporary", directory.appending("b.yaml")) == 0)
        #expect(look() == ([], ["a.yaml", "b.yaml"]))
        // As AtomicFile does.
        #expect(link(directory.appending("temporary"), directory.appending("c.yaml")) == 0)
        try directory.remove("a.yaml")
        try directory.remove("temporary")
        #expect(look() == ([], ["a.yaml", "c.yaml"]))
        try directory.move("c.yaml", to: "d.yaml")
        #expect(look() == ([], ["c.yaml", "d.yaml"]))
        #expect(chmod(directory.appending("d.yaml"), 0o600) == 0)
        #expect(look() == ([], ["d.yaml"]))
        #expect(mkdir(directory.appending("e.yaml"), 0o755) == 0)
        #expect(look() == ([], []))
    }

    @Test func renamedWhileItIsWritten() throws {
        let file = try opened("a.tmp", O_CREAT | O_WRONLY)
        try file.write(contentsOf: Data("text".utf8))
        #expect(look() == ([], []))
        #expect(rename(directory.appending("a.tmp"), directory.appending("a.yaml")) == 0)
        #expect(look() == (["a.yaml"], []))
        try file.close()
        #expect(look() == ([], ["a.yaml"]))
    }
}
