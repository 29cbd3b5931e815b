import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LinuxSystem

/// Who could change a file, by its owner, its mode and its lists, and by what lies on the way to it.
@Suite struct TrustTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func distrust(_ name: String) throws -> String? {
        let path = directory.appending(name)
        let file = try OwnedDescriptor(opening: path, .readOnly)
        return try FileFacts(of: file.descriptor, subject: path).distrust()?.words(at: name)
    }

    private func setfacl(_ arguments: String...) throws {
        try ChildProcess.run(
            ["setfacl"] + arguments.map { $0.replacing("DIR", with: directory.path) }
        )
        .requireSuccess()
    }

    // MARK: Lists

    @Test(arguments: [
        ("u:1234:rw", "can be written by user 1234, by its access control list: run setfacl -b a"),
        ("g:1234:w", "can be written by group 1234, by its access control list: run setfacl -b a"),
        ("u:1234:r", nil), ("g:1234:r-x", nil), ("u:0:rw,g:0:rw", nil),
        ("u:1234:rw,m::r", nil), ("u:1234:r,g::rw", nil),
        ("u:1234:r,o::rw", "can be written by everybody: run chmod o-w a"),
    ])
    func posixListsOfAFileOfRoot(_ list: String, _ expected: String?) throws {
        for name in ["a", "b"] {
            if name == "a" {
                try directory.write("", to: name)
            } else {
                try directory.makeDirectory(name)
            }
            try setfacl("-m", list, "DIR/\(name)")
            #expect(
                try distrust(name)
                    == expected.map { String($0.dropLast()) + name }, "\(name)")
        }
    }

    @Test func theOwningGroupIsNoneBehindAMask() throws {
        try directory.write("", to: "a")
        try #require(chown(directory.appending("a"), 0, 1234) == 0, "needs root")
        // The mode says 0674: what stands where the group's rights are is the mask.
        try setfacl("-m", "u:1234:rwx,g::r,m::rwx", "DIR/a")
        #expect(
            try distrust("a")
                == "can be written by user 1234, by its access control list: run setfacl -b a")
        try setfacl("-m", "u:1234:r,g::r,m::rwx", "DIR/a")
        #expect(try distrust("a") == nil)
        try setfacl("-m", "g::rw", "DIR/a")
        #expect(try distrust("a") == "can be written by group 1234: run chmod g-w a")
    }

    @Test(
        arguments: [
            [], [2, 0, 0], [3, 0, 0, 0], [2, 0, 0, 0, 1, 0, 6, 0],
            [2, 0, 0, 0, 0x40, 0, 2, 0, 0, 0, 0, 0],
        ] as [[UInt8]])
    func aListOfAnotherKindIsUnknown(bytes: [UInt8]) {
        #expect(AccessList.posix(bytes) == [.unknown])
    }

    /// An entry of an NFSv4 list, as RFC 8881 encodes it.
    private static func entry(
        _ who: String, mask: UInt8, type: UInt8 = 0, flags: UInt8 = 0, high: UInt8 = 0
    ) -> [UInt8] {
        [0, 0, 0, type, 0, 0, 0, flags, 0, high, 0, mask, 0, 0, 0, UInt8(who.utf8.count)]
            + Array(who.utf8) + [UInt8](repeating: 0, count: -who.utf8.count & 3)
    }

    @Test(
        arguments: [
            (entry("OWNER@", mask: 0xff), []),
            (entry("GROUP@", mask: 0x01), []),
            (entry("GROUP@", mask: 0x02, flags: 0x40), [.owningGroup]),
            (entry("EVERYONE@", mask: 0x04), [.everybody]),
            (entry("EVERYONE@", mask: 0x81), []),
            (entry("alice@example.org", mask: 0x03), [.named("alice@example.org")]),
            (entry("root@example.org", mask: 0x03), [.user(0)]),
            (entry("1234", mask: 0x40), [.user(1234)]),
            (entry("1234", mask: 0x02, flags: 0x40), [.group(1234)]),
            // To write the list, or the owner, is to write.
            (entry("1234", mask: 0x01, high: 0x04), [.user(1234)]),
            (entry("1234", mask: 0x01, high: 0x08), [.user(1234)]),
            // Denied, audited, and for what is made below only.
            (entry("1234", mask: 0x02, type: 1), []), (entry("1234", mask: 0x02, type: 2), []),
            (entry("1234", mask: 0x02, flags: 0x0b), []),
        ] as [([UInt8], [AccessList.Writer])])
    func nfsLists(_ entry: [UInt8], _ expected: [AccessList.Writer]) {
        #expect(AccessList.nfs4([0, 0, 0, 1] + entry) == expected)
        let owner = Self.entry("OWNER@", mask: 0x02)
        #expect(AccessList.nfs4([0, 0, 0, 2] + owner + entry) == expected)
        // Cut short anywhere, or with more behind it, it is not understood.
        for length in 0..<entry.count {
            #expect(AccessList.nfs4([0, 0, 0, 1] + entry.prefix(length)) == [.unknown])
        }
        #expect(AccessList.nfs4([0, 0, 0, 1] + entry + [0, 0, 0, 0]) == [.unknown])
        #expect(AccessList.nfs4([0xff, 0xff, 0xff, 0xff] + entry) == [.unknown])
    }

    // MARK: The way

    private func problem(_ path: String) -> String? {
        do throws(OpenedFile.Problem) {
            _ = try OpenedFile(directory: directory.appending(path))
            return nil
        } catch {
            switch error {
            case .distrusted(let words): return words.replacing(directory.path, with: "DIR")
            case .failed(let error): return "\(error.errno)"
            }
        }
    }

    @Test func whoMayWriteADirectoryOnTheWayCouldReplaceTheRest() throws {
        try directory.makeDirectory("above/conf")
        #expect(problem("above/conf") == nil)
        #expect(problem("above/../above/./conf/") == nil)
        let above = directory.appending("above")
        try #require(chown(above, 0, 1234) == 0, "needs root")
        try #require(chmod(above, 0o770) == 0)
        let words =
            "DIR/above, on the way to DIR/above/conf, can be written by group 1234: run chmod g-w DIR/above"
        #expect(problem("above/conf") == words)
        // What a path leads by counts, whatever it comes to.
        #expect(
            problem("above/conf/../../above/conf")?.hasPrefix("DIR/above, on the way to") == true)
        try #require(chmod(above, 0o750) == 0)
        #expect(problem("above/conf") == nil)
        try setfacl("-m", "u:1234:rwx", "DIR/above")
        #expect(
            problem("above/conf")
                == "DIR/above, on the way to DIR/above/conf, can be written by user 1234, by its access control list: run setfacl -b DIR/above"
        )
        try setfacl("-b", "DIR/above")
        try #require(chown(above, 1234, 0) == 0)
        #expect(
            problem("above/conf")
                == "DIR/above, on the way to DIR/above/conf, is owned by user 1234, who could change it: run chown root DIR/above"
        )
    }

    @Test func linksAreFollowedByWhatTheyLeadThrough() throws {
        try directory.makeDirectory("elsewhere/site/conf")
        try directory.makeDirectory("links")
        let conf = directory.appending("links/conf")
        try #require(symlink("../elsewhere/./site/conf", conf) == 0)
        try #require(symlink(conf, directory.appending("absolute")) == 0)
        try #require(symlink("absolute", directory.appending("relative")) == 0)
        for name in ["links/conf", "absolute", "relative"] { #expect(problem(name) == nil) }
        let site = directory.appending("elsewhere/site")
        try #require(chmod(site, 0o757) == 0)
        for name in ["links/conf", "absolute", "relative"] {
            #expect(
                problem(name)
                    == "DIR/elsewhere/site, on the way to DIR/\(name), can be written by everybody: run chmod o-w DIR/elsewhere/site"
            )
        }
        // As in /tmp: who may add entries there can't change those of others.
        try #require(chmod(site, 0o1777) == 0)
        for name in ["links/conf", "absolute", "relative"] { #expect(problem(name) == nil) }
        // But a link there may be anybody's.
        try #require(symlink("conf", "\(site)/link") == 0)
        try #require(lchown("\(site)/link", 1234, 0) == 0, "needs root")
        #expect(
            problem("elsewhere/site/link")
                == "DIR/elsewhere/site/link, on the way to DIR/elsewhere/site/link, is owned by user 1234, who could change it: run chown -h root DIR/elsewhere/site/link"
        )
        try #require(chmod(site, 0o755) == 0)
        #expect(problem("elsewhere/site/link") == nil)
    }

    @Test func whatIsNotThere() throws {
        try directory.write("", to: "file")
        for (target, name) in [("loop", "loop"), ("missing", "broken"), ("file", "toFile")] {
            try #require(symlink(target, directory.appending(name)) == 0)
        }
        #expect(problem("missing") == "No such file or directory")
        #expect(problem("broken") == "No such file or directory")
        #expect(problem("loop") == "Too many levels of symbolic links")
        #expect(problem("file") == "Not a directory")
        #expect(problem("toFile") == "Not a directory")
        #expect(problem("file/below") == "Not a directory")
    }

    @Test func filesAreReadByTheirLinks() throws {
        try directory.makeDirectory("conf")
        try directory.makeDirectory("elsewhere")
        try directory.write("text", to: "elsewhere/a")
        try #require(symlink("../elsewhere/a", directory.appending("conf/a")) == 0)
        let conf = try OpenedFile(directory: directory.appending("conf"))
        func contents() throws -> String {
            let file = try OpenedFile(file: Array("a".utf8), in: conf, at: "conf")
            return String(decoding: try file.contents(atMost: 10, of: "a"), as: UTF8.self)
        }
        #expect(try contents() == "text")
        try #require(chmod(directory.appending("elsewhere"), 0o777) == 0)
        #expect(throws: OpenedFile.Problem.self) { try contents() }
    }

    @Test(arguments: [
        ("a/b-c_d.yaml", "a/b-c_d.yaml"), ("", "''"), ("it's", "'it'\\''s'"), ("a b", "'a b'"),
        ("é", "'é'"), ("a\n'\\", #"$'a\x0a\'\\'"#),
    ])
    func shellWords(text: String, word: String) throws {
        #expect(shellWord(text) == word)
        let said = try ChildProcess.run(["bash", "-c", "printf %s \(word)"]).requireSuccess()
        #expect(said.standardOutput == text)
    }
}
