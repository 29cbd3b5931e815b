internal import LinuxSystem
internal import Netlink
internal import PortModel
internal import Ruleset
internal import Site

// The language between the agent and the worker process. A new operation is a case of `Operation`,
// a request and a reply here, and a case in the worker's `answer`.

/// An operation that the worker does for the agent.
enum Operation: UInt8, Hashable, Sendable {
    case introduce = 1
    case readGeneration
    case snapshot
    case commit
    case check
    case readFlows
    case endFlows
    case readForeignTables
    case readTrackingUse
    case readCounts
}

extension Operation {
    /// The part that ends where the worker does, in words.
    var subject: String {
        switch self {
        case .snapshot, .commit, .check: "libnftables"
        case .introduce, .readGeneration, .readFlows, .endFlows, .readForeignTables,
            .readTrackingUse, .readCounts:
            "the worker"
        }
    }
}

/// A question to the worker, and the type of its answer.
protocol KernelRequest: WireValue {
    associatedtype Reply: WireValue
    static var operation: Operation { get }
    /// The work in words that follow "while it".
    var doing: String { get }
}

/// The kind of a frame from the worker.
enum Answer: UInt8 {
    /// The ``KernelRequest/Reply``.
    case reply
    /// Some of the answer, where that may be much. More frames come.
    case part
    /// A ``KernelError``.
    case failure
    /// The present work in words that follow "while it". More frames come.
    case progress
}

/// In bytes. A table of 10,000 nodes lists as some 20 million.
enum FrameLimit {
    static let request = 64 << 20
    static let answer = 256 << 20
}

// MARK: Requests

/// The first request to each worker.
struct IntroductionRequest: KernelRequest {
    static let operation = Operation.introduce
    var doing: String { "started" }
    /// Of all that it will be asked for.
    var urgency: Urgency

    struct Reply: WireValue {
        /// The thread that will commit, as notifications name it.
        var thread: Int32
        var generationID: UInt32
    }
}

struct GenerationRequest: KernelRequest {
    static let operation = Operation.readGeneration
    let doing = "read the ruleset's generation"

    struct Reply: WireValue {
        var generationID: UInt32
    }
}

/// All tables that are ours, by ``OwnTable``.
struct SnapshotRequest: KernelRequest {
    static let operation = Operation.snapshot
    let doing = "looked for our tables"
    /// Tables that are ours whatever they hold.
    var compiled: [TableID]
    /// Whether what packets noted in sets is asked for.
    var wantsNoted: Bool

    struct Reply: WireValue {
        /// Where it equals ``generationAfter``, nobody changed anything in between.
        var generationBefore: UInt32
        var tables: [ListedTable]
        var generationAfter: UInt32
    }
}

struct ListedTable: WireValue {
    enum Listing {
        /// As libnftables-json(5) has it, without sets' elements, and these.
        case json([UInt8], elements: [ListedElements])
        /// The complaint of libnftables.
        case failed(String)
        /// The table was not listed, since it has this, in words, which no table of ours has.
        case foreign([String])
    }

    var id: TableID
    var listing: Listing
}

/// A transaction in nft's language, to be committed.
struct CommitRequest: KernelRequest {
    static let operation = Operation.commit
    let doing = "committed a transaction"
    var text: String

    typealias Reply = RunReply
}

/// A transaction in nft's language, to be tried without changing anything.
struct CheckRequest: KernelRequest {
    static let operation = Operation.check
    let doing = "checked a transaction"
    var text: String

    typealias Reply = RunReply
}

struct RunReply: WireValue {
    /// The text that libnftables wrote where it failed.
    var complaint: String?
}

/// Tracked flows from or to one of the addresses, told in parts of ``FlowsPart``.
struct FlowsRequest: KernelRequest {
    static let operation = Operation.readFlows
    let doing = "read tracked flows"
    var addresses: [IPAddress]

    typealias Reply = Done
}

struct FlowsPart: WireValue {
    /// So many at most.
    static let size = 512

    var flows: [Flow]
}

/// All parts were told.
struct Done: WireValue {}

struct EndFlowsRequest: KernelRequest {
    static let operation = Operation.endFlows
    let doing = "ended tracked flows"
    var flows: [Flow]

    typealias Reply = EndedFlows
}

/// The findings about tables that are not ours.
struct ForeignTablesRequest: KernelRequest {
    static let operation = Operation.readForeignTables
    let doing = "read others' tables"
    /// Tables that are ours whatever they hold.
    var compiled: [TableID]

    struct Reply: WireValue {
        var tables: ForeignTables
    }
}

/// How full connection tracking is.
struct TrackingUseRequest: KernelRequest {
    static let operation = Operation.readTrackingUse
    let doing = "read how full connection tracking is"

    typealias Reply = TrackingUse
}

/// The counters and notes of packets in tables of ours.
struct CountsRequest: KernelRequest {
    static let operation = Operation.readCounts
    let doing = "read counters"
    var tables: [CountedTable]

    struct CountedTable: WireValue {
        var id: TableID
        /// Those of its sets in which packets count and note.
        var sets: [String]
    }

    struct Reply: WireValue {
        /// Without what is missing.
        var tables: [Counts]
    }

    struct Counts: WireValue {
        var table: TableID
        var counters: [NamedCounterValue]
        var elements: [ListedElements]
    }
}

// MARK: As bytes

extension TableID: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(try reader.named(), try reader.text())
    }

    func write(to writer: inout WireWriter) {
        writer.put(family.rawValue)
        writer.put(name)
    }
}

extension IntroductionRequest {
    init(from reader: inout WireReader) throws(WireError) {
        let number = try reader.byte()
        guard let urgency = Urgency(rawValue: number) else {
            throw WireError(description: "there is no urgency \(number)")
        }
        self.urgency = urgency
    }

    func write(to writer: inout WireWriter) { writer.put(urgency.rawValue) }
}

extension IntroductionRequest.Reply {
    init(from reader: inout WireReader) throws(WireError) {
        thread = Int32(bitPattern: try reader.number())
        generationID = try reader.number()
    }

    func write(to writer: inout WireWriter) {
        writer.put(UInt32(bitPattern: thread))
        writer.put(generationID)
    }
}

extension GenerationRequest {
    init(from reader: inout WireReader) throws(WireError) {}
    func write(to writer: inout WireWriter) {}
}

extension GenerationRequest.Reply {
    init(from reader: inout WireReader) throws(WireError) { generationID = try reader.number() }
    func write(to writer: inout WireWriter) { writer.put(generationID) }
}

extension SnapshotRequest {
    init(from reader: inout WireReader) throws(WireError) {
        compiled = try reader.values()
        wantsNoted = try reader.byte() != 0
    }

    func write(to writer: inout WireWriter) {
        writer.put(compiled)
        writer.put(UInt8(wantsNoted ? 1 : 0))
    }
}

extension SnapshotRequest.Reply {
    init(from reader: inout WireReader) throws(WireError) {
        generationBefore = try reader.number()
        tables = try reader.values()
        generationAfter = try reader.number()
    }

    func write(to writer: inout WireWriter) {
        writer.put(generationBefore)
        writer.put(tables)
        writer.put(generationAfter)
    }
}

extension ListedTable {
    init(from reader: inout WireReader) throws(WireError) {
        id = try TableID(from: &reader)
        switch try reader.byte() {
        case 0: listing = .foreign(try reader.texts())
        case 1: listing = .json(try reader.data(), elements: try reader.values())
        case 2: listing = .failed(try reader.text())
        case let kind: throw WireError(description: "there is no listing of kind \(kind)")
        }
    }

    func write(to writer: inout WireWriter) {
        writer.put(id)
        switch listing {
        case .foreign(let words):
            writer.put(UInt8(0))
            writer.put(texts: words)
        case .json(let json, let elements):
            writer.put(UInt8(1))
            writer.put(json)
            writer.put(elements)
        case .failed(let complaint):
            writer.put(UInt8(2))
            writer.put(complaint)
        }
    }
}

extension ListedElements: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(set: try reader.text(), attributes: try reader.data())
    }

    func write(to writer: inout WireWriter) {
        writer.put(set)
        writer.put(attributes)
    }
}

extension CommitRequest {
    init(from reader: inout WireReader) throws(WireError) { text = try reader.text() }
    func write(to writer: inout WireWriter) { writer.put(text) }
}

extension CheckRequest {
    init(from reader: inout WireReader) throws(WireError) { text = try reader.text() }
    func write(to writer: inout WireWriter) { writer.put(text) }
}

extension RunReply {
    init(from reader: inout WireReader) throws(WireError) { complaint = try reader.optionalText() }
    func write(to writer: inout WireWriter) { writer.put(complaint) }
}

extension KernelError: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        let name = try reader.text()
        guard let code = Code(rawValue: name) else {
            throw WireError(description: "there is no error \(name)")
        }
        self.init(code, try reader.text())
    }

    func write(to writer: inout WireWriter) {
        writer.put(code.rawValue)
        writer.put(description)
    }
}

extension FlowsRequest {
    init(from reader: inout WireReader) throws(WireError) { addresses = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(addresses) }
}

extension FlowsPart {
    init(from reader: inout WireReader) throws(WireError) { flows = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(flows) }
}

extension Done {
    init(from reader: inout WireReader) throws(WireError) {}
    func write(to writer: inout WireWriter) {}
}

extension EndFlowsRequest {
    init(from reader: inout WireReader) throws(WireError) { flows = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(flows) }
}

extension EndedFlows: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            count: Int(try reader.number()), left: Int(try reader.number()),
            failure: try reader.optionalText())
    }

    func write(to writer: inout WireWriter) {
        writer.put(UInt32(clamping: count))
        writer.put(UInt32(clamping: left))
        writer.put(failure)
    }
}

extension ForeignTablesRequest {
    init(from reader: inout WireReader) throws(WireError) { compiled = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(compiled) }
}

extension ForeignTablesRequest.Reply {
    init(from reader: inout WireReader) throws(WireError) {
        tables = try ForeignTables(from: &reader)
    }
    func write(to writer: inout WireWriter) { writer.put(tables) }
}

extension TrackingUseRequest {
    init(from reader: inout WireReader) throws(WireError) {}
    func write(to writer: inout WireWriter) {}
}

extension CountsRequest {
    init(from reader: inout WireReader) throws(WireError) { tables = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(tables) }
}

extension CountsRequest.CountedTable {
    init(from reader: inout WireReader) throws(WireError) {
        id = try TableID(from: &reader)
        sets = []
        for _ in 0..<(try reader.number()) { sets.append(try reader.text()) }
    }

    func write(to writer: inout WireWriter) {
        writer.put(id)
        writer.put(UInt32(sets.count))
        for set in sets { writer.put(set) }
    }
}

extension CountsRequest.Reply {
    init(from reader: inout WireReader) throws(WireError) { tables = try reader.values() }
    func write(to writer: inout WireWriter) { writer.put(tables) }
}

extension CountsRequest.Counts {
    init(from reader: inout WireReader) throws(WireError) {
        table = try TableID(from: &reader)
        counters = try reader.values()
        elements = try reader.values()
    }

    func write(to writer: inout WireWriter) {
        writer.put(table)
        writer.put(counters)
        writer.put(elements)
    }
}

extension NamedCounterValue: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(
            name: try reader.text(),
            value: CounterValue(packets: try reader.long(), bytes: try reader.long()))
    }

    func write(to writer: inout WireWriter) {
        writer.put(name)
        writer.put(value.packets)
        writer.put(value.bytes)
    }
}

extension TrackingUse: WireValue {
    init(from reader: inout WireReader) throws(WireError) {
        self.init(entries: Int(try reader.number()), limit: Int(try reader.number()))
    }

    func write(to writer: inout WireWriter) {
        writer.put(UInt32(clamping: entries))
        writer.put(UInt32(clamping: limit))
    }
}
