import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import Nftables

/// The keeper holds the privilege, and does with it what its requests are about and nothing else.
@Suite("Keeper")
struct KeeperTests {
    /// A keeper whose requests the test writes.
    private final class Keeper {
        let control: MessageSocket
        let pid: Int32

        init() throws {
            try requireRoot()
            let (ours, theirs) = try MessageSocket.pair()
            control = ours
            pid = try LinuxSystem.ChildProcess.start(
                try BuiltProducts.path(of: "pexip-fwd"),
                arguments: ["pexip-fwd", KernelKeeper.subcommand], environment: [],
                passing: theirs)
        }

        func ask(
            _ kind: KeeperProgram.Message.Kind, _ value: UInt32, _ passed: FileDescriptor
        ) throws -> KeeperProgram.Message {
            try control.send(kind, 7, value, passed)
            guard try control.isReadable(within: .seconds(20)),
                let answer = try control.receive()
            else { throw TestSupportError("the keeper does not answer") }
            let message = try KeeperProgram.Message(answer.bytes)
            #expect(message.number == 7)
            return message
        }

        deinit {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
    }

    // Of linux/netlink.h and linux/netfilter/nfnetlink.h.
    private static let netfilter: Int32 = 12
    private static let others: [(name: String, bus: Int32)] = [
        ("route", 0), ("audit", 9), ("uevent", 15),
    ]
    private static let groupOfNftables: UInt32 = 7
    private static let listMemberships: Int32 = 9

    private static func netlink(_ bus: Int32) throws -> OwnedDescriptor {
        let raw = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue), bus)
        try #require(raw >= 0)
        return OwnedDescriptor(adopting: FileDescriptor(rawValue: raw))
    }

    /// The groups that a netlink socket hears, as bits.
    private static func groups(of socket: borrowing OwnedDescriptor) throws -> UInt32 {
        var groups: UInt32 = 0
        var length = socklen_t(MemoryLayout<UInt32>.size)
        let result = getsockopt(
            socket.descriptor.rawValue, SOL_NETLINK, listMemberships, &groups,
            &length)
        try #require(result == 0)
        return groups
    }

    @Test("lets a socket of netfilter hear nf_tables, and none of another subsystem")
    func hearing() throws {
        let keeper = try Keeper()
        let netfilter = try Self.netlink(Self.netfilter)
        let bit = UInt32(1) << (Self.groupOfNftables - 1)
        #expect(try keeper.ask(.hear, 1, netfilter.descriptor).kind == .done)
        #expect(try Self.groups(of: netfilter) == bit)
        #expect(try keeper.ask(.hear, 0, netfilter.descriptor).kind == .done)
        #expect(try Self.groups(of: netfilter) == 0)

        for (name, bus) in Self.others {
            let other = try Self.netlink(bus)
            let answer = try keeper.ask(.hear, 1, other.descriptor)
            #expect(answer.kind == .failed, "\(name)")
            #expect(answer.value == UInt32(EPROTOTYPE), "\(name)")
            #expect(try Self.groups(of: other) == 0, "\(name)")
        }
        #expect(try keeper.ask(.hear, 1, FileDescriptor(rawValue: 2)).kind == .failed)
    }

    @Test("starts nothing with a descriptor that is not what a worker serves")
    func starting() throws {
        let keeper = try Keeper()
        let (messages, _) = try MessageSocket.pair()
        let (stream, _) = try UnixSocket.pair()
        let netfilter = try Self.netlink(Self.netfilter)
        for (kind, descriptor) in [
            (.start, messages.descriptor), (.start, netfilter.descriptor),
            (.start, FileDescriptor(rawValue: 2)), (.open, stream.shared.descriptor),
            (.open, netfilter.descriptor),
        ] as [(KeeperProgram.Message.Kind, FileDescriptor)] {
            let answer = try keeper.ask(kind, 5_001, descriptor)
            #expect(answer.kind == .failed, "\(kind)")
        }
        #expect(try keeper.ask(.start, 0, stream.shared.descriptor).kind == .started)
    }
}
