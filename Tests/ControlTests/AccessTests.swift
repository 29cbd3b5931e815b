import JSONValue
import LinuxSystem
import Logging
import Testing

@testable import Control

/// Who may call which method.
@Suite("Access")
struct AccessTests {
    private static let readers: UInt32 = 990
    private static let root = PeerCredentials(pid: 1, uid: 0, gid: 0)
    private static let reader = PeerCredentials(pid: 1, uid: 1000, gid: 1000, groups: [990])
    private static let primaryReader = PeerCredentials(pid: 1, uid: 1001, gid: 990)
    /// A user of root's group, and of no other.
    private static let stranger = PeerCredentials(pid: 1, uid: 1002, gid: 0, groups: [0, 100])

    /// All methods that the agent serves, as its own server knows them.
    private static let served: Set<String> = {
        let service = VarlinkService(
            identity: VarlinkIdentity(vendor: "", product: "", version: "", url: ""),
            interfaces: [
                PexipFirewallInterface.served(by: RecordedAnswers()) {}
            ], authorize: { _, _ in false }, logger: Logger(label: "test"))
        return Set(
            service.interfaces.flatMap { interface in
                interface.methods.map { "\(interface.name).\($0)" }
            })
    }()

    @Test("somebody has decided about every method, and about no other")
    func complete() {
        #expect(Self.served.count >= 11)
        #expect(Set(PexipFirewallInterface.access.keys) == Self.served)
    }

    @Test("what changes something is root's; readers see the rest; nobody else sees anything")
    func decisions() {
        let changing: Set = ["Apply", "Confirm", "Rollback", "Flush"]
        for method in Self.served {
            func allows(_ credentials: PeerCredentials, _ readers: UInt32? = Self.readers) -> Bool {
                PexipFirewallInterface.allows(credentials, to: method, readers: readers)
            }
            let isReading = !changing.contains {
                method == "\(PexipFirewallInterface.name).\($0)"
            }
            #expect(allows(Self.root), "\(method)")
            #expect(allows(Self.root, nil), "\(method)")
            #expect(allows(Self.reader) == isReading, "\(method)")
            #expect(allows(Self.primaryReader) == isReading, "\(method)")
            #expect(!allows(Self.reader, nil), "\(method)")
            #expect(!allows(Self.stranger), "\(method)")
        }
    }

    @Test(
        "a method without a decision is nobody's",
        arguments: [
            "org.pexipfw.Control.Other", "Status", "org.example.Status", "org.pexipfw.Control.", "",
        ])
    func undecided(method: String) {
        #expect(
            !PexipFirewallInterface.allows(Self.root, to: method, readers: Self.readers))
    }

    @Test("the server asks about every call, introspection too")
    func asked() async throws {
        let service = VarlinkService(
            identity: VarlinkIdentity(vendor: "", product: "", version: "", url: ""),
            interfaces: [
                PexipFirewallInterface.served(by: RecordedAnswers()) {}
            ], authorize: { _, _ in false }, logger: Logger(label: "test"))
        for method in Self.served {
            let call = VarlinkCall(
                method: try #require(VarlinkMethod(method)), credentials: Self.root)
            let reply = await service.reply(to: call, upgrade: false)
            #expect(reply.error == "org.varlink.service.PermissionDenied", "\(method)")
        }
    }
}
