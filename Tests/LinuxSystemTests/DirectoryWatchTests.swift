import Foundation
import Glibc
import LinuxSystem
import Testing

@Suite(.timeLimit(.minutes(10))) struct DirectoryWatchTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Waits for the change, whatever comes before it.
    private func expect(
        _ change: DirectoryChange, _ changes: inout AsyncStream<DirectoryChange>.Iterator,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        while let next = await changes.next(isolation: nil) {
            if next == change { return }
            if case .failed(let error) = next {
                Issue.record("\(error)", sourceLocation: sourceLocation)
            }
        }
        Issue.record("the stream ended before \(change)", sourceLocation: sourceLocation)
    }

    @Test func noticesEveryKindOfChange() async throws {
        try directory.makeDirectory("conf")
        let watch = try DirectoryWatch(path: directory.appending("conf"))
        var changes = watch.changes.makeAsyncIterator()
        try directory.write("a", to: "conf/a.yaml")
        await expect(.contents, &changes)
        try directory.move("conf/a.yaml", to: "b.yaml")
        await expect(.contents, &changes)
        try directory.move("b.yaml", to: "conf/b.yaml")
        await expect(.contents, &changes)
        chmod(directory.appending("conf/b.yaml"), 0o600)
        await expect(.contents, &changes)
        try FileManager.default.createSymbolicLink(
            atPath: directory.appending("conf/c.yaml"), withDestinationPath: "b.yaml")
        await expect(.contents, &changes)
        try directory.remove("conf/b.yaml")
        await expect(.contents, &changes)
    }

    @Test func followsRemovalAndRecreation() async throws {
        try directory.makeDirectory("conf")
        let watch = try DirectoryWatch(path: directory.appending("conf"))
        var changes = watch.changes.makeAsyncIterator()
        for _ in 0..<3 {
            try directory.remove("conf")
            await expect(.gone, &changes)
            try directory.makeDirectory("conf")
            await expect(.appeared, &changes)
            try directory.write("a", to: "conf/a.yaml")
            await expect(.contents, &changes)
        }
    }

    @Test func waitsForDirectoriesThatDoNotExist() async throws {
        let watch = try DirectoryWatch(path: directory.appending("one/two/conf"))
        var changes = watch.changes.makeAsyncIterator()
        try directory.makeDirectory("one")
        try directory.makeDirectory("one/two")
        try directory.makeDirectory("one/two/conf")
        await expect(.appeared, &changes)
        try directory.write("a", to: "one/two/conf/a.yaml")
        await expect(.contents, &changes)
    }

    @Test func noticesReplacementsOfWhatIsAbove() async throws {
        try directory.makeDirectory("old/conf")
        try directory.makeDirectory("new/conf")
        let watch = try DirectoryWatch(path: directory.appending("old/conf"))
        var changes = watch.changes.makeAsyncIterator()
        try directory.move("old", to: "older")
        await expect(.gone, &changes)
        try directory.move("new", to: "old")
        await expect(.appeared, &changes)
        try directory.write("a", to: "old/conf/a.yaml")
        await expect(.contents, &changes)
        // No longer on the way.
        try directory.write("a", to: "older/conf/a.yaml")
        try directory.remove("old")
        #expect(await changes.next(isolation: nil) != nil)
    }

    @Test func followsSymlinksThatAreSwapped() async throws {
        try directory.makeDirectory("one")
        try directory.makeDirectory("two")
        let link = directory.appending("conf")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "one")
        let watch = try DirectoryWatch(path: link)
        var changes = watch.changes.makeAsyncIterator()
        try FileManager.default.createSymbolicLink(
            atPath: directory.appending("next"), withDestinationPath: "two")
        #expect(rename(directory.appending("next"), link) == 0)
        await expect(.appeared, &changes)
        try directory.write("a", to: "two/a.yaml")
        await expect(.contents, &changes)
    }

    @Test func noticesFileSystemsThatComeOverItAndGo() async throws {
        try directory.makeDirectory("above/conf")
        let watch = try DirectoryWatch(path: directory.appending("above/conf"))
        var changes = watch.changes.makeAsyncIterator()
        for (place, flags) in [
            ("above/conf", Int32(0)), ("above/conf", Int32(MNT_DETACH)), ("above", 0),
        ] {
            let path = directory.appending(place)
            #expect(mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0, "needs root")
            try directory.makeDirectory("above/conf")
            await expect(.appeared, &changes)
            try directory.write("a", to: "above/conf/a.yaml")
            await expect(.contents, &changes)
            #expect(umount2(path, flags) == 0)
            await expect(.appeared, &changes)
            try directory.write("a", to: "above/conf/b.yaml")
            await expect(.contents, &changes)
        }
    }

    @Test func endsWithItsConsumer() async throws {
        let watch = try DirectoryWatch(path: directory.path)
        let consumer = Task { for await _ in watch.changes {} }
        consumer.cancel()
        await consumer.value
    }
}
