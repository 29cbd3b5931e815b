import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

/// Locks between processes of the test's, which other programs than ours hold.
@Suite struct FileLockTests {
    let directory: TemporaryDirectory
    var path: String { directory.appending("lock") }

    init() throws { directory = try TemporaryDirectory() }

    /// Another process that has the lock, made by flock(2) and marks as ours are.
    private func holder(marking bytes: [Int]) throws -> TestSupport.ChildProcess {
        let process = try TestSupport.ChildProcess(
            [
                "/usr/bin/python3", "-c",
                """
                import fcntl, sys, time
                f = open(sys.argv[1], "a+")
                fcntl.flock(f, fcntl.LOCK_EX)
                for byte in sys.argv[2:]: fcntl.lockf(f, fcntl.LOCK_SH, 1, int(byte))
                print("ready", flush=True)
                time.sleep(1000)
                """, path,
            ] + bytes.map { "\($0)" })
        #expect(waitUntil { process.standardOutput == "ready\n" }, "\(process.standardError)")
        return process
    }

    @Test func oneProcessHasItAndOthersAreToldWho() throws {
        let running = try holder(marking: [0, 1])
        let lock = FileLock(path)
        #expect(try lock.take() == FileLock.Holder(pid: running.pid, isEnding: false))
        #expect(lock.descriptor == nil)
        running.kill()
        let ending = try holder(marking: [0])
        #expect(try lock.take() == FileLock.Holder(pid: ending.pid, isEnding: true))
        ending.kill()
        #expect(try lock.take() == nil)
        #expect(lock.descriptor != nil)
        // Nobody else gets it now.
        let late = try TestSupport.ChildProcess.run(["flock", "--nonblock", path, "true"])
        #expect(late.status == .exited(1))
    }

    @Test func itFollowsTheFileOfThePath() throws {
        let lock = FileLock(path)
        #expect(try lock.take() == nil)
        let first = lock.descriptor
        #expect(try lock.take() == nil)
        #expect(lock.descriptor == first)
        #expect(unlink(path) == 0)
        let other = try holder(marking: [0, 1])
        #expect(try lock.take() == FileLock.Holder(pid: other.pid, isEnding: false))
        other.kill()
        #expect(try lock.take() == nil)
        #expect(
            try TestSupport.ChildProcess.run(["flock", "--nonblock", path, "true"]).status
                == .exited(1))
    }

    @Test func whatIsNoFileGivesWayToOne() throws {
        for replace in [
            { symlink("/nowhere/else", path) }, { symlink("/etc/passwd", path) },
            { mkfifo(path, 0o600) },
        ] {
            #expect(replace() == 0)
            let lock = FileLock(path)
            #expect(try lock.take() == nil)
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode == S_IFREG | 0o600)
            #expect(unlink(path) == 0)
        }
        try directory.makeDirectory("lock")
        let error = #expect(throws: SystemError.self) { try FileLock(path).take() }
        #expect(error?.errno == .isDirectory)
    }
}
