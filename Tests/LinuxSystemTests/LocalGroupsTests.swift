import Glibc
import Testing

@testable import LinuxSystem

@Suite struct LocalGroupsTests {
    @Test func theSystemKnowsThemByTheSameNumbers() throws {
        for name in ["root", "daemon", "nogroup", "users"] {
            let known = try #require(getgrnam(name)).pointee.gr_gid
            #expect(try LocalGroups.id(of: name) == known)
        }
    }

    @Test(arguments: ["", "no-such-group", "root:", "x"])
    func othersAreNone(name: String) throws { #expect(try LocalGroups.id(of: name) == nil) }
}
