import Enforcement
import Foundation
import Glibc
import Reports
import TestSupport
import Testing
import Reports

/// A file is taken up when it is whole, however slowly it is written and by whom.
@Suite("Writers")
struct WriterTests {
    typealias Scene = WatchFaultTests.Scene

    /// Opened anew, so that what was there is gone.
    private static func open(_ name: String, _ scene: Scene) throws -> FileHandle {
        let path = scene.configuration.appending(path: name).path
        let file = Glibc.open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0o644)
        try #require(file >= 0)
        return FileHandle(fileDescriptor: file, closeOnDealloc: true)
    }

    private static func write(_ text: String, to file: FileHandle) throws {
        try file.write(contentsOf: Data(text.utf8))
    }

    @Test("a file that is made and written slowly: open to nobody in between")
    func created() throws {
        try WatchFaultTests.scene { scene in
            let file = try Self.open("20-slow.yaml", scene)
            try scene.expectWaiting(for: "20-slow.yaml")
            // Right by itself, and open to everybody.
            try Self.write("features: {ssh: true}\npeers: {ssh_clients: any}\n", to: file)
            try scene.expectWaiting(for: "20-slow.yaml")
            // Whatever else asks for a look at the directory.
            try scene.expectWaiting(for: "20-slow.yaml") {
                scene.agent.process?.signal(SIGHUP)
                try scene.agent.namespace.configure(["address add 10.0.0.99/32 dev lo"])
                try scene.agent.write("version: 1", as: "30-other.yaml")
                try scene.agent.namespace.configure(["address del 10.0.0.21/32 dev lo"])
                try scene.agent.namespace.configure(["address add 10.0.0.21/32 dev lo"])
                try scene.agent.remove("30-other.yaml")
                #expect(try scene.agent.control("plan").status == .exited(0))
            }
            try file.seek(toOffset: 0)
            try Self.write("peers: {ssh_clients: [10.9.0.2]}\n#", to: file)
            try scene.expectWaiting(for: "20-slow.yaml")
            try file.close()
            try scene.expectNext(2)
            #expect(try scene.agent.status().warnings.isEmpty)
        }
    }

    @Test("a file that is written anew where it stands, by a program that is killed in the end")
    func rewritten() throws {
        try WatchFaultTests.scene { scene in
            let path = scene.configuration.appending(path: "10-site.yaml").path
            let text = StoreFaultTests.configuration(2)
            let writer = try scene.agent.namespace.spawn([
                "/usr/bin/python3", "-c",
                """
                import sys, time
                file = open(sys.argv[1], "w")
                for line in sys.argv[2].splitlines(True):
                    file.write(line)
                    file.flush()
                    time.sleep(1)
                print("all", flush=True)
                time.sleep(1000)
                """, path, text,
            ])
            try scene.expectWaiting(for: "10-site.yaml")
            #expect(waitUntil { writer.standardOutput == "all\n" })
            try scene.expectWaiting(for: "10-site.yaml")
            writer.kill()
            try scene.expectNext(2)
        }
    }

    @Test("a file that stays open, as a log does: apply takes it, and says so")
    func applied() throws {
        try WatchFaultTests.scene { scene in
            let file = try Self.open("20-open.yaml", scene)
            try Self.write("peers: {ssh_clients: [10.9.0.2]}\n", to: file)
            try scene.expectWaiting(for: "20-open.yaml")
            let path = scene.configuration.appending(path: "20-open.yaml").path
            let words = "\(path):1:1: warning: its writer had not closed it when it was read"
            let plan = try scene.agent.control("plan")
            #expect(plan.standardError.contains(words), "\(plan)")
            let apply = try scene.agent.control("apply")
            #expect(apply.status == .exited(0))
            #expect(apply.standardError.contains(words), "\(apply)")
            try scene.expectNext(2)
            // What comes later waits again, and so do others.
            try scene.expectWaiting(for: "20-open.yaml") {
                try Self.write("#\nfeatures: {ssh: false}\n", to: file)
                try scene.agent.write("host: {ping: true}", as: "30-other.yaml")
            }
            try file.close()
            try scene.agent.waitForStatus("the rest") { $0.generation == 3 }
            #expect(try !scene.agent.rulesInKernel().contains("10.9.0.2"))
            #expect(try scene.agent.status().warnings.isEmpty)
            #expect(try scene.agent.status().diagnostics.isEmpty)
        }
    }

    @Test("a file that goes on being written under another name")
    func renamed() throws {
        try WatchFaultTests.scene { scene in
            let file = try Self.open(".20-new.tmp", scene)
            try Self.write("peers: {ssh_clients: any}\n", to: file)
            let names = [".20-new.tmp", "20-new.yaml"].map {
                scene.configuration.appending(path: $0).path
            }
            #expect(rename(names[0], names[1]) == 0)
            try scene.expectWaiting(for: "20-new.yaml")
            try file.seek(toOffset: 0)
            try Self.write("peers: {ssh_clients: [10.9.0.2]}\n", to: file)
            try file.close()
            try scene.expectNext(2)
        }
    }

    @Test("a name that vanishes comes again: an editor that renames is no removal")
    func vanished() throws {
        try WatchFaultTests.scene { scene in
            try scene.agent.write("peers: {ssh_clients: [10.9.0.2]}", as: "20-peers.yaml")
            try scene.expectNext(2)
            let path = scene.configuration.appending(path: "20-peers.yaml").path
            for variant in 3...5 {
                // As long as that may take, and longer than files settle.
                #expect(rename(path, path + "~") == 0)
                usleep(500_000)
                let file = try Self.open("20-peers.yaml", scene)
                usleep(500_000)
                try Self.write("peers: {ssh_clients: [10.9.0.\(variant)]}", to: file)
                try file.close()
                // The next one, and none in between.
                try scene.expectNext(variant)
            }
            // And one that does not come again is gone.
            try scene.agent.remove("20-peers.yaml")
            try scene.expectNext(1)
        }
    }

    @Test("links and files that are moved in count at once, however new they are")
    func atOnce() throws {
        try WatchFaultTests.scene { scene in
            let files = FileManager.default
            let elsewhere = scene.agent.directory.appending(path: "elsewhere.yaml")
            let target = scene.configuration.appending(path: "20-peers.yaml")
            try Data("peers: {ssh_clients: [10.9.0.2]}".utf8).write(to: elsewhere)
            try files.linkItem(at: elsewhere, to: target)
            try scene.expectNext(2)
            try files.removeItem(at: target)
            try scene.expectNext(1)
            try files.createSymbolicLink(at: target, withDestinationURL: elsewhere)
            try scene.expectNext(2)
            // Only its rights change.
            try scene.agent.write("peers: {ssh_clients: [10.9.0.3]}", as: "20-peers.yaml")
            try scene.expectNext(3)
            #expect(chmod(target.path, 0o666) == 0)
            try scene.expectHeld("20-peers.yaml:1:1: error: can be written by everybody")
            #expect(chmod(target.path, 0o644) == 0)
            try scene.expectHeld(nil)
        }
    }

    /// Nothing tells whether a file is open that was opened before.
    @Test("at the start a file must have been unchanged: what is being written then is waited for")
    func start() throws {
        try WatchFaultTests.scene { scene in
            let path = scene.configuration.appending(path: "20-slow.yaml").path
            scene.agent.kill()
            let writer = try scene.agent.namespace.spawn([
                "/usr/bin/python3", "-c",
                """
                import sys, time
                file = open(sys.argv[1], "w")
                file.write("features: {ssh: true}\\npeers: {ssh_clients: any}\\n")
                while True:
                    file.write("#")
                    file.flush()
                    print("more", flush=True)
                    time.sleep(0.5)
                """, path,
            ])
            #expect(waitUntil { writer.standardOutput.contains("more") })
            // What was in force does not wait.
            try Nft.run(in: scene.agent.namespace, "flush ruleset")
            try scene.agent.start()
            try scene.expectWaiting(for: "20-slow.yaml")
            #expect(try scene.agent.status().state == .rejected)
            writer.kill()
            try scene.agent.waitForStatus("what was written") {
                $0.state == .inSync && $0.generation == 2
            }

            // One that is just whole is taken up before the agent says that it is ready.
            scene.agent.kill()
            try Data("peers: {ssh_clients: [10.9.0.3]}".utf8).write(to: URL(filePath: path))
            try scene.agent.start()
            #expect(try scene.agent.status().generation == 3)
        }
    }
}
