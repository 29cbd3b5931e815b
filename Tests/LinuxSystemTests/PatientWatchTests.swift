import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

/// What becomes of watching where the kernel's limits forbid it; a real limit is the agent's test.
@Suite struct PatientWatchTests {
    @Test func limitsAreToldFromOtherFailures() throws {
        let watches = try #require(
            WatchLimit(SystemError(operation: "inotify_add_watch", errno: .noSpace)))
        #expect(watches.description.contains("sysctl -w fs.inotify.max_user_watches="))
        let instances = try #require(
            WatchLimit(SystemError(operation: "inotify_init1", errno: .tooManyOpenFiles)))
        #expect(instances.description.contains("sysctl -w fs.inotify.max_user_instances="))
        for error in [
            SystemError(operation: "inotify_add_watch", errno: .notDirectory),
            SystemError(operation: "inotify_init1", errno: .notPermitted),
            SystemError(operation: "open", errno: .noSpace),
        ] {
            #expect(WatchLimit(error) == nil)
            #expect(throws: SystemError.self) {
                try PatientDirectoryWatch(path: "/tmp") { () throws(SystemError) in throw error }
            }
        }
    }

    @Test func aSummaryTellsWhateverChanges() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        func expectOther(_ change: () throws -> Void) rethrows {
            let before = DirectorySummary(of: path)
            #expect(DirectorySummary(of: path) == before)
            try change()
            #expect(DirectorySummary(of: path) != before)
        }
        try expectOther { try AtomicFile.write([1], to: directory.appending("a.yaml")) }
        // Of the same size, and with the time of before.
        try expectOther {
            var status = stat()
            #expect(stat(directory.appending("a.yaml"), &status) == 0)
            let file = try OwnedDescriptor(opening: directory.appending("a.yaml"), .writeOnly)
            try AtomicFile.writeAll([2], to: file.descriptor.rawValue, subject: "a.yaml")
            let times = [status.st_atim, status.st_mtim]
            #expect(futimens(file.descriptor.rawValue, times) == 0)
        }
        expectOther { #expect(chmod(directory.appending("a.yaml"), 0o600) == 0) }
        try directory.makeDirectory("elsewhere")
        try AtomicFile.write([1], to: directory.appending("elsewhere/b"))
        expectOther {
            #expect(symlink("elsewhere/b", directory.appending("b.yaml")) == 0)
        }
        try expectOther { try AtomicFile.write([2, 3], to: directory.appending("elsewhere/b")) }
        expectOther { #expect(unlink(directory.appending("elsewhere/b")) == 0) }
        expectOther {
            #expect(rename(directory.appending("a.yaml"), directory.appending("c.yaml")) == 0)
        }
        expectOther { #expect(rename(path, path + ".moved") == 0) }
        expectOther { #expect(rename(path + ".moved", path) == 0) }
    }
}
