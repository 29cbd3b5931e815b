import Enforcement
import Foundation
import Reports
import Site
import Testing
import TestSupport
import Reports

/// What changes without any event in the directory is noticed all the same: "in sync" is said of files
/// that were looked at.
@Suite("Unseen changes")
struct UnseenChangeTests {
    typealias Scene = WatchFaultTests.Scene

    /// Ten times what is promised.
    private static let patience = Duration.seconds(150)

    private static func peers(_ variant: Int) -> String {
        "peers: {ssh_clients: [10.9.0.\(variant)]}\n"
    }

    private static func scene(_ body: (Scene, MountNamespace) throws -> Void) throws {
        try requireRoot()
        var mounts: MountNamespace?
        try WatchFaultTests.scene(launcher: { namespace in
            let new = try MountNamespace(in: namespace)
            mounts = new
            return new.entering
        }) { try body($0, #require(mounts)) }
    }

    /// In place, so that the file stays the same.
    private static func rewrite(_ path: String, _ variant: Int) throws {
        let file = try #require(FileHandle(forWritingAtPath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(peers(variant).utf8))
        try file.close()
    }

    @Test("a file that a link leads to, rewritten and replaced, and so a directory on the way")
    func links() throws {
        try Self.scene { scene, _ in
            let files = FileManager.default
            let elsewhere = try scene.directory("elsewhere", 2)
            let path = elsewhere.appending(path: "10-site.yaml").path
            try files.createSymbolicLink(
                atPath: scene.configuration.appending(path: "20-link.yaml").path,
                withDestinationPath: "../elsewhere/10-site.yaml")
            try scene.expectNext(2)
            try Data(StoreFaultTests.configuration(3).utf8).write(to: URL(filePath: path))
            try scene.expectNext(3, timeout: Self.patience)
            let other = try scene.directory("other", 4)
            try scene.move(elsewhere, to: scene.agent.directory.appending(path: "away"))
            try scene.move(other, to: elsewhere)
            try scene.expectNext(4, timeout: Self.patience)
            // What it leads to goes, and comes again.
            let away = scene.agent.directory.appending(path: "gone")
            try scene.move(elsewhere, to: away)
            try scene.agent.waitForStatus("a link to nothing", timeout: Self.patience) {
                $0.state == .rejected
                    && $0.diagnostics.contains {
                        $0.description.contains("is a symbolic link to nothing")
                    }
            }
            try scene.move(away, to: elsewhere)
            try scene.agent.waitForStatus("health", timeout: Self.patience) {
                $0.state == .inSync && $0.generation == 4
            }
        }
    }

    @Test("a file of more than one name, written by another")
    func hardLinks() throws {
        try Self.scene { scene, _ in
            let elsewhere = scene.agent.directory.appending(path: "elsewhere.yaml")
            try Data(Self.peers(2).utf8).write(to: elsewhere)
            try FileManager.default.linkItem(
                at: elsewhere, to: scene.configuration.appending(path: "20-peers.yaml"))
            try scene.expectNext(2)
            try Self.rewrite(elsewhere.path, 3)
            try scene.expectNext(3, timeout: Self.patience)
        }
    }

    @Test("a single file that is mounted over one, written where it comes from, and unmounted")
    func mountedFile() throws {
        try Self.scene { scene, mounts in
            let elsewhere = scene.agent.directory.appending(path: "elsewhere.yaml").path
            let target = scene.configuration.appending(path: "20-peers.yaml").path
            try Data(Self.peers(3).utf8).write(to: URL(filePath: elsewhere))
            try scene.agent.write(Self.peers(2), as: "20-peers.yaml")
            try scene.expectNext(2)
            try mounts.run("mount", "--bind", elsewhere, target)
            try scene.expectNext(3)
            try Self.rewrite(elsewhere, 4)
            try scene.expectNext(4, timeout: Self.patience)
            try mounts.run("umount", target)
            try scene.expectNext(2)
        }
    }

    @Test("an overlay: files of its layers, and one that is new there")
    func overlay() throws {
        try Self.scene { scene, mounts in
            let layers = scene.agent.directory.appending(path: "layers").path
            let path = scene.configuration.path
            try mounts.run("mkdir", layers)
            try mounts.mountMemory(at: layers)
            for name in ["lower", "upper", "work"] { try mounts.run("mkdir", "\(layers)/\(name)") }
            func write(_ text: String, _ name: String) throws {
                try Data(text.utf8).write(to: URL(filePath: mounts.path("\(layers)/\(name)")))
            }
            try write(StoreFaultTests.configuration(2), "lower/10-site.yaml")
            try mounts.run(
                "mount", "-t", "overlay", "-o",
                "lowerdir=\(layers)/lower,upperdir=\(layers)/upper,workdir=\(layers)/work",
                "overlay", path)
            try scene.expectNext(2)
            try write(Self.peers(3), "lower/20-peers.yaml")
            try scene.expectNext(3, timeout: Self.patience)
            try write(Self.peers(4), "lower/20-peers.yaml")
            try scene.expectNext(4, timeout: Self.patience)
            // What is done by the overlay itself is told by events.
            try mounts.run(
                "sh", "-c", "echo 'peers: {ssh_clients: [10.9.0.5]}' >'\(path)/20-peers.yaml'")
            try scene.expectNext(5)
        }
    }

    @Test("a directory that links lead to, of which one is turned to another directory")
    func linkedDirectory() throws {
        try WatchFaultTests.scene(configurationDirectory: "first/conf") { scene in
            // The fixture's path leads by a link to where nothing is watched.
            let files = FileManager.default
            let base = scene.agent.directory
            let real = base.appending(path: "real")
            try files.createDirectory(at: real, withIntermediateDirectories: false)
            try scene.move(base.appending(path: "first"), to: real.appending(path: "first"))
            try files.createDirectory(
                at: real.appending(path: "second"), withIntermediateDirectories: false)
            let other = try scene.directory("other", 2)
            try scene.move(other, to: real.appending(path: "second/conf"))
            let current = base.appending(path: "current").path
            try files.createSymbolicLink(atPath: current, withDestinationPath: "real/first")
            try files.createSymbolicLink(
                atPath: base.appending(path: "first").path, withDestinationPath: "current")
            try scene.expectHeld(nil)
            try files.createSymbolicLink(
                atPath: current + ".new", withDestinationPath: "real/second")
            #expect(rename(current + ".new", current) == 0)
            try scene.expectNext(2, timeout: Self.patience)
            // And there what is done is told by events again.
            try scene.agent.write(StoreFaultTests.configuration(3))
            try scene.expectNext(3)
        }
    }
}
