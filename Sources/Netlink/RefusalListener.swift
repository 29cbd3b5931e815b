internal import CMnl
@preconcurrency internal import Dispatch
package import LinuxSystem
package import Ruleset
internal import Synchronization

/// An event of the group that refused packets are logged to.
package enum RefusalEvent: Hashable, Sendable {
    case refused(RefusedPacket)
    /// Something came that is no sample of ours, or is cut off in its IP header.
    case unreadable
    /// So many samples are missing before the next: nobody read them in time.
    case lost(UInt32)
    /// Nothing more is heard; the reason is for people.
    case failed(String)
}

/// Reads what rules log to a group, on a queue of its own, until it is released.
package final class RefusalListener: Sendable {
    private let source: DescriptorSource

    /// - Parameters:
    ///   - socket: of ``KernelKeeper/openLogGroup(_:)``.
    ///   - onEvent: called on the listener's queue.
    /// - Throws: where the socket can't be watched.
    package init(
        _ socket: consuming OwnedDescriptor,
        onEvent: @escaping @Sendable (RefusalEvent) -> Void
    ) throws(KernelError) {
        let reader = NetlinkReader(try NetlinkSocket(adopting: socket))
        let expected = Mutex<UInt32>(0)
        source = try reader.source(queue: DispatchQueue(label: "refusals.heard")) { result in
            switch result {
            case .success: break
            // The next sample's number tells how many are lost.
            case .failure(let error) where error.code == .overflow: break
            case .failure(let error): onEvent(.failed(error.description))
            }
        } onMessage: { message in
            guard message.isLoggedPacket else { return }
            let sample = Sample(message.attributes)
            if let number = sample.number {
                let lost = expected.withLock { expected in
                    defer { expected = number &+ 1 }
                    return number &- expected
                }
                if lost > 0 { onEvent(.lost(lost)) }
            }
            onEvent(sample.packet.map(RefusalEvent.refused) ?? .unreadable)
        }
        source.resume()
    }

    deinit { source.cancel() }
}

/// A packet as the kernel hands it over.
struct Sample {
    /// Counts what was handed over, from 0.
    let number: UInt32?
    /// nil where it is none that a rule of ours logged, or can't be read.
    let packet: RefusedPacket?

    init(_ attributes: NetlinkAttributes) {
        number = attributes[NFULA_SEQ]?.number()
        guard let counter = attributes[NFULA_PREFIX]?.text,
            let headers = attributes[NFULA_PAYLOAD].flatMap({ PacketHeaders($0.bytes) })
        else {
            packet = nil
            return
        }
        packet = RefusedPacket(
            counter: counter, from: headers.source, to: headers.destination,
            protocolNumber: headers.protocolNumber, headers.transport)
    }
}
