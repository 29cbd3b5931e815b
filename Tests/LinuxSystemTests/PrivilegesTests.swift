import Testing

@testable import LinuxSystem

@Suite struct PrivilegesTests {
    /// Tests run on several threads. Nothing was given up when it throws.
    @Test func areNotGivenUpByOneThreadOfMany() {
        #expect(throws: PrivilegeError.self) { try Privileges.keepOnly([.netAdmin]) }
    }

    @Test func aMessageBringsItsDescriptorOnce() throws {
        let (ours, theirs) = try MessageSocket.pair()
        let (near, far) = try UnixSocket.pair()
        try ours.send([1, 2], near.shared.descriptor)
        try ours.send([3])
        guard var message = try theirs.receive(), let passed = message.takeDescriptor() else {
            Issue.record("no descriptor came")
            return
        }
        #expect(message.bytes == [1, 2])
        let isOnlyOne = message.takeDescriptor() == nil
        #expect(isOnlyOne)
        #expect(try UnixSocket(passed).send([7]) == .bytes(1))
        var buffer: [UInt8] = [0, 0]
        #expect(try far.receive(into: &buffer) == .bytes(1))
        #expect(buffer == [7, 0])

        guard var second = try theirs.receive() else {
            Issue.record("no second message came")
            return
        }
        #expect(second.bytes == [3])
        let hasNone = second.takeDescriptor() == nil
        #expect(hasNone)
        try ours.shutDown()
        let isAtEnd = try theirs.receive() == nil
        #expect(isAtEnd)
    }

    @Test(arguments: [
        (0, "ended with exit status 0"), (0x300, "ended with exit status 3"),
        (11, "ended by SIGSEGV"), (0x86, "ended by SIGABRT"), (60, "ended by signal 60"),
    ])
    func anEndIsToldInWords(_ status: Int32, _ words: String) {
        #expect(ProcessEnd(waitStatus: status).description == words)
    }
}
