import Configuration
import Glibc
import Site
import Testing
import TestSupport

/// A directory that is removed with the value.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/deployment-tests.XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
        path = String(cString: try #require(made))
    }

    deinit {
        var files = glob_t()
        glob("\(path)/{.[!.],}*", GLOB_BRACE, nil, &files)
        for index in 0..<Int(files.gl_pathc) { remove(files.gl_pathv[index]!) }
        globfree(&files)
        rmdir(path)
    }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            try #require(count > 0)
            rest = rest.dropFirst(count)
        }
        try #require(fchmod(file, mode) == 0)
    }

    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        try write(name, Array(text.utf8), mode: mode)
    }

    /// The diagnostics of loading, with `DIR` for the directory.
    func load() -> (LoadedConfiguration, [String]) {
        let loaded = ConfigurationDirectory(path).load()
        return (loaded, loaded.diagnostics.map { $0.description.replacing(path, with: "DIR") })
    }
}

@Suite struct DirectoryTests {
    @Test func filesInByteOrder() throws {
        let directory = try TemporaryDirectory()
        try directory.write("b.yaml", "mode: enforce")
        try directory.write("a.yaml", node + "mode: observe")
        try directory.write("Z.yaml", "mode: observe")
        try directory.write("10.yaml", "")
        let (loaded, messages) = directory.load()
        #expect(messages == [])
        #expect(loaded.deployment?.mode == .enforce)
        #expect(
            loaded.sources.map(\.path)
                == ["10.yaml", "Z.yaml", "a.yaml", "b.yaml"].map { "\(directory.path)/\($0)" })
        #expect(loaded.sources.last?.bytes == Array("mode: enforce".utf8))
    }

    @Test func leftoversAreIgnored() throws {
        let directory = try TemporaryDirectory()
        for name in [
            ".hidden.yaml", "a.yaml~", "a.yaml.bak", "#a.yaml#", ".a.yaml.swp", "a.yaml.dpkg-new",
            "a.dpkg-old.yaml", ".x.yml", "a.yaml.ucf-dist", "a.yaml.orig", "a.yml~",
            "a.yaml.rpmsave", "README", "README.md",
        ] {
            try directory.write(name, "garbage: [", mode: 0o666)
        }
        for name in [".git", "profiles", "lost+found"] {
            try #require(mkdir("\(directory.path)/\(name)", 0o755) == 0)
        }
        let (loaded, messages) = directory.load()
        #expect(messages == [])
        #expect(loaded.deployment == nil)
        #expect(loaded.sources == [])
    }

    /// Nothing that somebody may take for configuration is ignored in silence.
    @Test func othersAreIgnoredWithAWarning() throws {
        let directory = try TemporaryDirectory()
        let names = [
            ("20.YAML", "rename it to 20.yaml"), ("20.YML", "rename it to 20.yaml"),
            ("20.json", "rename it to 20.yaml"), ("20.yaml.txt", "rename it to 20.yaml"),
            ("a.conf", "move it elsewhere"),
            ("a.json.yml.old", "rename it to a.json.yaml"), ("b.Yaml", "rename it to b.yaml"),
            ("b.yaml ", "rename it to b.yaml"), ("c.yml", "rename it to c.yaml"),
            ("d.yaml.disabled", "rename it to d.yaml"), ("yaml", "move it elsewhere"),
        ]
        for (name, _) in names { try directory.write(name, "garbage: [", mode: 0o666) }
        try #require(mkdir("\(directory.path)/e.d", 0o755) == 0)
        try #require(symlink("e.d", "\(directory.path)/f") == 0)
        // The name is that of a directory with a meaning, and this is none.
        try directory.write("profiles", "")
        let (loaded, messages) = directory.load()
        let below =
            "ignored, because files in directories below are not read: move them up, or all of it elsewhere"
        let expected =
            names.map { ($0, "ignored, because only files that end in .yaml are read: \($1)") }
            + [("e.d", below), ("f", below)]
            + [
                (
                    "profiles",
                    "ignored, because only files that end in .yaml are read: move it elsewhere"
                )
            ]
        #expect(
            Set(messages) == Set(expected.map { "DIR/\($0):1:1: warning: \($1)" }))
        #expect(loaded.deployment == nil)
        #expect(!loaded.hasErrors)
        #expect(loaded.sources == [])
    }

    @Test func emptyDirectoryConfiguresNothing() throws {
        let (loaded, messages) = try TemporaryDirectory().load()
        #expect(messages == [])
        #expect(loaded.deployment == nil)
    }

    @Test func missingDirectory() {
        let loaded = ConfigurationDirectory("/nonexistent/pexip-fw.d/").load()
        #expect(
            loaded.diagnostics.map(\.description) == [
                "error: /nonexistent/pexip-fw.d does not exist: create it, or name another directory"
            ])
    }

    @Test func fileInsteadOfADirectory() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a", "")
        let loaded = ConfigurationDirectory("\(directory.path)/a").load()
        #expect(
            loaded.diagnostics.map(\.message) == [
                "\(directory.path)/a cannot be opened as a directory (Not a directory)"
            ])
    }

    @Test(arguments: [
        (0o646 as mode_t, "can be written by everybody: run chmod o-w DIR/a.yaml"),
        (0o666, "can be written by everybody: run chmod o-w DIR/a.yaml"),
        (0o644, nil), (0o600, nil), (0o444, nil),
    ])
    func modes(mode: mode_t, expected: String?) throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", node, mode: mode)
        let (loaded, messages) = directory.load()
        #expect(messages == [expected].compactMap { $0.map { "DIR/a.yaml:1:1: error: \($0)" } })
        #expect((loaded.deployment == nil) == (expected != nil))
    }

    @Test(
        .enabled(if: geteuid() == 0, "only root may give files away"),
        arguments: [
            (
                1234, 0, 0o644 as mode_t,
                "is owned by user 1234, who could change it: run chown root DIR/a.yaml"
            ),
            (0, 1234, 0o664, "can be written by group 1234: run chmod g-w DIR/a.yaml"),
            (0, 0, 0o664, nil), (0, 1234, 0o640, nil),
        ])
    func owners(user: uid_t, group: gid_t, mode: mode_t, expected: String?) throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", node)
        try #require(chown("\(directory.path)/a.yaml", user, group) == 0)
        try #require(chmod("\(directory.path)/a.yaml", mode) == 0)
        #expect(
            directory.load().1
                == [expected].compactMap { $0.map { "DIR/a.yaml:1:1: error: \($0)" } })
    }

    @Test(arguments: [0o757 as mode_t, 0o1777]) func directoryForEverybody(mode: mode_t) throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", node)
        try #require(chmod(directory.path, mode) == 0)
        let (loaded, messages) = directory.load()
        #expect(messages == ["error: DIR can be written by everybody: run chmod o-w DIR"])
        #expect(loaded.deployment == nil)
    }

    @Test(.enabled(if: geteuid() == 0, "only root may give directories away"))
    func directoryOfSomebodyElse() throws {
        let directory = try TemporaryDirectory()
        try #require(chown(directory.path, 1234, 0) == 0)
        #expect(
            directory.load().1 == [
                "error: DIR is owned by user 1234, who could change it: run chown root DIR"
            ])
        try #require(chown(directory.path, 0, 1234) == 0)
        try #require(chmod(directory.path, 0o770) == 0)
        #expect(
            directory.load().1 == ["error: DIR can be written by group 1234: run chmod g-w DIR"])
    }

    /// The mode is that of a file which nobody else may write.
    @Test(.enabled(if: geteuid() == 0, "only root may give rights to others"))
    func accessControlLists() throws {
        let directory = try TemporaryDirectory()
        try directory.write("a.yaml", node)
        func setfacl(_ arguments: String...) throws {
            try ChildProcess.run(["setfacl"] + arguments).requireSuccess()
        }
        let file = "\(directory.path)/a.yaml"
        try setfacl("-m", "u:1234:rw", file)
        #expect(
            directory.load().1 == [
                "DIR/a.yaml:1:1: error: can be written by user 1234, by its access control list: run setfacl -b DIR/a.yaml"
            ])
        try setfacl("-b", file)
        try setfacl("-m", "u:1234:rwx", directory.path)
        #expect(
            directory.load().1 == [
                "error: DIR can be written by user 1234, by its access control list: run setfacl -b DIR"
            ])
        // Rights to read are nobody else's business.
        try setfacl("-m", "u:1234:r-x", directory.path)
        try setfacl("-m", "u:1234:r", file)
        #expect(directory.load().1 == [])
    }

    /// Whoever may write there could put another directory, or file, in its place.
    @Test(.enabled(if: geteuid() == 0, "only root may give directories away"))
    func directoriesOnTheWay() throws {
        let directory = try TemporaryDirectory()
        let above = "\(directory.path)/above"
        try #require(mkdir(above, 0o755) == 0)
        try #require(mkdir("\(above)/conf", 0o755) == 0)
        defer {
            remove("\(above)/conf/a.yaml")
            remove("\(above)/conf")
        }
        try directory.write("above/conf/a.yaml", node)
        try #require(symlink("above/conf/a.yaml", "\(directory.path)/b.yaml") == 0)
        func messages(_ path: String) -> [String] {
            ConfigurationDirectory(path).load().diagnostics.filter { $0.severity == .error }.map {
                $0.description.replacing(directory.path, with: "DIR")
            }
        }
        #expect(messages("\(above)/conf") == [])
        #expect(messages(directory.path) == [])
        try #require(chown(above, 1234, 0) == 0)
        let reason = "is owned by user 1234, who could change it: run chown root DIR/above"
        #expect(
            messages("\(above)/conf") == [
                "error: DIR/above, on the way to DIR/above/conf, \(reason)"
            ])
        #expect(
            messages(directory.path) == [
                "DIR/b.yaml:1:1: error: DIR/above, on the way to DIR/b.yaml, \(reason)"
            ])
    }

    @Test func filesThatAreNone() throws {
        let directory = try TemporaryDirectory()
        try directory.write("target", node)
        try #require(mkdir("\(directory.path)/a.yaml", 0o755) == 0)
        try #require(mkfifo("\(directory.path)/b.yaml", 0o644) == 0)
        try #require(symlink("/nonexistent", "\(directory.path)/c.yaml") == 0)
        try #require(symlink("target", "\(directory.path)/d.yaml") == 0)
        try #require(symlink("/dev/null", "\(directory.path)/e.yaml") == 0)
        try #require(symlink("f.yaml", "\(directory.path)/f.yaml") == 0)
        try directory.write("g\n.yaml", "")
        try directory.write("h it's.yaml", "", mode: 0o666)
        let (loaded, messages) = directory.load()
        let refused = "is not a regular file: remove it or give it another name"
        #expect(
            messages == [
                "DIR/a.yaml:1:1: error: \(refused)",
                "DIR/b.yaml:1:1: error: \(refused)",
                "DIR/c.yaml:1:1: error: is a symbolic link to nothing: remove it or correct its target",
                "DIR/e.yaml:1:1: error: \(refused)",
                "DIR/f.yaml:1:1: error: cannot be opened (Too many levels of symbolic links)",
                "DIR/g\\n.yaml:1:1: error: its name has characters that cannot be printed: rename it",
                "DIR/h it's.yaml:1:1: error: can be written by everybody: run chmod o-w 'DIR/h it'\\''s.yaml'",
            ])
        #expect(loaded.sources.map(\.path) == ["\(directory.path)/d.yaml"])
    }

    @Test func symbolicLinkToAFile() throws {
        let directory = try TemporaryDirectory()
        try directory.write("target", node)
        try #require(symlink("target", "\(directory.path)/a.yaml") == 0)
        let (loaded, messages) = directory.load()
        #expect(messages == [])
        #expect(loaded.deployment != nil)
    }

    @Test func sizes() throws {
        let directory = try TemporaryDirectory()
        let comment = [UInt8](repeating: UInt8(ascii: "#"), count: ConfigurationLimits.bytesOfFile)
        try directory.write("a.yaml", comment)
        try directory.write("b.yaml", comment + [UInt8(ascii: "#")])
        #expect(
            directory.load().1 == [
                "DIR/b.yaml:1:1: error: is larger than 1 MiB: split it into several files"
            ])
        for number in 1...16 { try directory.write("c\(number).yaml", comment) }
        #expect(
            directory.load().1.first
                == "error: DIR holds more than 16 MiB in its files: remove some")
    }

    @Test func numberOfFiles() throws {
        let directory = try TemporaryDirectory()
        for number in 0..<1000 { try directory.write("\(number).yaml", "") }
        #expect(directory.load().1 == [])
        try directory.write("x.yaml", "")
        #expect(
            directory.load().1 == [
                "error: DIR holds 1001 files: at most 1000 are read, so join some"
            ])
    }
}
