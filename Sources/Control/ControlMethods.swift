package import Metrics
package import Reports

/// The agent's side of its interface: an answer for each method. A call's parameters were read, and
/// whether its caller may ask was decided.
///
/// A question that can't be answered is ``PexipFirewallInterface/refusal(_:)``.
package protocol ControlAnswers: Sendable {
    func status(_ call: ControlCall<NoParameters>) async throws -> StatusReport
    func metrics(_ call: ControlCall<NoParameters>) async throws -> [MetricFamily]
    func rules(
        _ call: ControlCall<NoParameters>, _ parts: inout ReplyParts<RulesReport.TableText>
    ) async throws
    func generations(
        _ call: ControlCall<NoParameters>, _ parts: inout ReplyParts<GenerationSummary>
    ) async throws
    func ports(
        _ call: ControlCall<NodeParameters>, _ parts: inout ReplyParts<PortsReport.Table>
    ) async throws
    func counters(_ call: ControlCall<NodeParameters>) async throws -> CountersReport
    func explain(_ call: ControlCall<PacketQuery>) async throws -> ExplainReport
    func drops(_ call: ControlCall<DropsParameters>) async throws -> DropsReport
    func mesh(_ call: ControlCall<MeshParameters>) async throws -> MeshReport
    /// - Parameter tell: sends an event that others will follow; throws `CancellationError` where
    ///   the client has gone.
    func monitor(
        _ call: ControlCall<NoParameters>, _ tell: @escaping @Sendable (Event) async throws -> Void
    ) async throws -> Event
    func plan(_ call: ControlCall<PlanParameters>) async throws -> ApplyReport
    func apply(_ call: ControlCall<ApplyParameters>) async throws -> ApplyReport
    func confirm(_ call: ControlCall<NoParameters>) async throws -> ApplyReport
    func rollback(_ call: ControlCall<RollbackParameters>) async throws -> ApplyReport
    func flush(_ call: ControlCall<NoParameters>) async throws -> ApplyReport
}

/// The methods of the agent's interface as values, each with the types that it brings with it.
package enum ControlMethods {
    /// Every method, in the description's order.
    package static let all: [any InterfaceMethod] = [
        status, metrics, rules, generations, ports, counters, explain, drops, mesh, monitor, plan,
        apply, confirm, rollback, flush,
    ]

    /// The beginning of the description, which names the methods for readers.
    static let heading = """
        # The pexip-fw agent: what is in force, and how to change it.
        # Times are RFC 3339 in UTC. Root may call everything; members of the group pexip-fw may
        # call what changes nothing: Status, Metrics, Rules, Generations, Ports, Counters, Drops,
        # Explain, Mesh, Monitor and Plan.
        interface org.pexipfw.Control
        """

    /// How it stands: state, generation, nodes, counters, warnings and drift.
    package static let status = ControlMethod(
        MethodDescription(
            "Status", for: .readers, replies: ("status", "StatusReport"),
            types: """
                type Location (file: string, line: int, column: int)

                # Of the configuration as it was read last.
                type Diagnostic (severity: (error, warning), location: ?Location, message: string)

                type Node (
                  name: string,
                  role: string,
                  addresses: []string,
                  table: string,
                  policyClass: ?string,
                  rows: int
                )

                type Counter (packets: int, bytes: int)

                # dropped is what was refused to and from the node.
                type NodeStatus (node: Node, dropped: Counter)

                # A change of our tables that did not come from the agent.
                type DriftOccurrence (time: string, process: string, pid: ?int, differences: []string)

                type Drift (count: int, last: ?DriftOccurrence)

                # A base chain of another table that may cut what is permitted, or lead packets past what
                # is refused. why holds policy-drop, drop, reject, queue, notrack (exempts from connection
                # tracking), zone (tracks in another zone), timeout (lets flows be forgotten at another time),
                # helper (lets a helper of connection tracking take part), rewrite (makes other packets),
                # offload, divert or unknown; within names the chains whose rules do it. chain, hook, priority
                # and policy are missing where iptables-legacy hides the rules. owner is a guess: firewalld, docker, libvirt, ufw,
                # kubernetes, fail2ban, iptables or iptables-legacy.
                type Shadow (
                  family: string,
                  table: string,
                  chain: ?string,
                  hook: ?string,
                  priority: ?int,
                  policy: ?(accept, drop),
                  why: []string,
                  within: []string,
                  owner: ?string
                )

                type Agent (version: string, pid: int, started: string)

                # A generation that waits for confirmation: at the deadline it is taken back, and fallback is
                # in force again, or nothing.
                type Pending (deadline: string, secondsLeft: int, fallback: ?int)

                # Why something else is in force than what is configured; explanation tells what was taken
                # back, and why.
                type Hold (reason: (rollback, flush, unconfirmed, probe), explanation: ?string)

                # counters are named by row, by site rule or by reason for dropping, and count from
                # countersSince on, or from before the agent started; changedFiles are the configuration's
                # files in which the generation differs from the one before; warnings tell what was seen in
                # the kernel that needs an administrator, and which files are not taken up yet because they
                # are being written; state is one of in-sync, pending-confirmation,
                # pinned, reverted, rejected, degraded, unconfigured, flushed.
                type StatusReport (
                  state: string,
                  generation: ?int,
                  confirmedGeneration: ?int,
                  pending: ?Pending,
                  hold: ?Hold,
                  generationCreated: ?string,
                  generationOrigin: ?string,
                  changedFiles: ?[]string,
                  mode: ?string,
                  nodes: []NodeStatus,
                  counters: [string]Counter,
                  countersSince: ?string,
                  warnings: []string,
                  shadows: []Shadow,
                  diagnostics: []Diagnostic,
                  problem: ?string,
                  drift: Drift,
                  agent: Agent
                )

                # The first of many addresses, as they are written, and how many there are; or it is
                # everybody but these.
                type PeerList (first: []string, count: int, isComplement: bool)

                # nodes are those for which it is the same. traffic tells what passes, as "TCP <any> -> 443", or of refusals what becomes of them;
                # trafficBefore what passed before, where that differs. peers are at the other end of a row
                # that opens or closes: anybody where they are missing. peersOpened and peersClosed may be,
                # or may not any more, at the other end of a row that changes.
                type RowChange (
                  kind: (opened, closed, changed),
                  nodes: []string,
                  row: string,
                  direction: ?(inbound, outbound),
                  traffic: ?string,
                  trafficBefore: ?string,
                  peers: ?PeerList,
                  peersOpened: ?PeerList,
                  peersClosed: ?PeerList
                )

                type NodeChange (
                  kind: (joins, leaves, moves),
                  node: string,
                  role: string,
                  addresses: []string,
                  addressesBefore: ?[]string
                )

                type TableChange (name: string, before: ?string, after: ?string)

                # outcome is one of unchanged, applied, would-apply, rejected, refused, failed. endedFlows is
                # how many established flows were ended, or would be, because they are not permitted any
                # more; where they were to be ended and could not, problem says so, and outcome that the
                # rules are in force. tables tells how the tables differ, where that was asked for.
                type Report (
                  outcome: string,
                  generation: ?int,
                  changes: []RowChange,
                  nodes: []NodeChange,
                  tables: ?[]TableChange,
                  diagnostics: []Diagnostic,
                  endedFlows: ?int,
                  problem: ?string
                )

                type Table (name: string, text: string)

                type Generation (number: int, created: string, origin: string, nodes: []string)
                """), answer: { $0.status })

    /// The families that monitoring collects.
    package static let metrics = ControlMethod(
        MethodDescription(
            "Metrics", for: .readers, replies: ("families", "[]MetricFamily"),
            comment: "The measurements that monitoring collects.",
            types: """
                # How many observations were up to a value; the last bucket, without a bound, is left out.
                type Bucket (upTo: float, count: int)

                type Histogram (buckets: []Bucket, count: int, sum: float)

                # histogram takes the place of value where the family is one.
                type Metric (labels: [string]string, value: ?float, histogram: ?Histogram)

                # name lacks what OpenMetrics adds to it for the kind, such as _total; unit is seconds or
                # bytes.
                type MetricFamily (
                  name: string,
                  kind: (gauge, counter, info, histogram),
                  unit: ?string,
                  help: string,
                  metrics: []Metric
                )
                """), answer: { $0.metrics })

    /// The tables in force in nft's language; a table may come in parts that follow each other.
    package static let rules = ControlMethod(
        MethodDescription(
            "Rules", for: .readers, replies: ("tables", "[]Table"),
            comment: """
                The tables in force, in nft's language. With more, tables are told in several replies, and a
                table's text in parts that follow each other; without, only where one reply holds all.
                """), inParts: { $0.rules })

    /// The stored generations, the oldest first.
    package static let generations = ControlMethod(
        MethodDescription(
            "Generations", for: .readers, replies: ("generations", "[]Generation"),
            comment: """
                What is stored and can be rolled back to, oldest first. With more, in several replies;
                without, only where one reply holds all.
                """), inParts: { $0.generations })

    /// The port tables of a node, or of all.
    package static let ports = ControlMethod(
        MethodDescription(
            "Ports", for: .readers, takes: ["node": "?string"], replies: ("tables", "[]PortTable"),
            comment: """
                The tables of a node, or of all, as the documentation prints them, with the site's values.
                With more, in several replies; without, only where one reply holds all.
                """,
            types: """
                type PortLine (
                  id: string,
                  protocol: string,
                  sourcePort: string,
                  destinationPort: string,
                  description: string,
                  device: string,
                  nodeAddresses: PeerList,
                  peers: ?PeerList,
                  footnotes: []string,
                  inactive: ?string
                )

                # Of nodes whose rows differ by their own addresses alone. nodeAddresses are those that a line
                # binds to; peers are missing for anybody, and where inactive says why the line is not enforced.
                type PortTable (
                  nodes: []string,
                  role: string,
                  direction: (inbound, outbound),
                  lines: []PortLine
                )
                """), inParts: { $0.ports })

    /// The counters of a node, or of all.
    package static let counters = ControlMethod(
        MethodDescription(
            "Counters", for: .readers, takes: ["node": "?string"],
            replies: ("report", "CountersReport"),
            comment: "The counts of a node, or of all.",
            types: """
                # kind is row, refusal or note. classes are those whose packets are counted, on a gateway.
                type NamedCounter (
                  name: string,
                  kind: (row, refusal, note),
                  classes: []string,
                  packets: int,
                  bytes: int
                )

                # nodes has what was refused to and from each.
                type CountersReport (
                  generation: ?int,
                  since: ?string,
                  counters: []NamedCounter,
                  nodes: []NodeStatus
                )
                """), answer: { $0.counters })

    /// The row and the rules that decide about a packet.
    package static let explain = ControlMethod(
        MethodDescription(
            "Explain", for: .readers,
            takes: ["protocol": "string", "source": "string", "destination": "string"],
            replies: ("report", "ExplainReport"),
            comment: """
                Which row decides about the first packet of a new flow, and why. protocol is tcp, udp, esp,
                icmp or a number; source and destination are ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
                """,
            types: """
                type AppliedRule (
                  table: string,
                  chain: string,
                  number: int,
                  rule: string,
                  counter: ?string
                )

                type NearMiss (row: string, differences: []string)

                type Explanation (
                  verdict: (accept, drop),
                  rules: []AppliedRule,
                  permits: []string,
                  reason: string,
                  nearest: []NearMiss
                )

                type RowText (line: string, footnotes: []string)

                # A chain of another table that may keep a permitted packet from passing: packet, it comes by
                # there; answers, those do that answer it.
                type Crossing (shadow: Shadow, packet: bool, answers: bool)

                # inactive are rows that would permit the packet if their feature were on; where they can't be
                # told, incomplete says why.
                type ExplainReport (
                  explanation: Explanation,
                  rows: [string]RowText,
                  inactive: []string,
                  incomplete: ?string,
                  counters: [string]Counter,
                  crossings: []Crossing
                )
                """), answer: { $0.explain })

    /// The talkers that are refused most.
    package static let drops = ControlMethod(
        MethodDescription(
            "Drops", for: .readers, takes: ["node": "?string", "limit": "?int"],
            replies: ("report", "DropsReport"),
            comment:
                "The talkers that are refused most, by samples, where refusals.sample is on; limit is from 1 to 100.",
            types: """
                # rate is in samples a second by each rule that refuses.
                type Sampling (group: int, rate: int)

                # Packets that were refused at one end of node for one reason. sourcePort and isFragment are
                # of the last sample; excess of the samples, at most, were somebody else's. verdict and the
                # following are what the rules in force say of the last sample's packet.
                type Talker (
                  counter: string,
                  direction: (inbound, outbound),
                  node: ?string,
                  protocol: string,
                  source: string,
                  sourcePort: ?int,
                  destination: string,
                  destinationPort: ?int,
                  icmpType: ?int,
                  isFragment: bool,
                  samples: int,
                  excess: int,
                  first: string,
                  last: string,
                  verdict: ?(accept, drop),
                  reason: string,
                  permits: []string,
                  nearest: []NearMiss,
                  inactive: []string
                )

                # sampling is missing where the rules in force do not sample. lost samples were not read in
                # time; more talkers are known than are told. Where the talkers' inactive rows can't be told,
                # incomplete says why.
                type DropsReport (
                  sampling: ?Sampling,
                  mode: ?string,
                  problem: ?string,
                  incomplete: ?string,
                  since: ?string,
                  samples: int,
                  lost: int,
                  unreadable: int,
                  talkers: []Talker,
                  more: int
                )
                """), answer: { $0.drops })

    /// The pairs of nodes and whether IPsec was seen between them.
    package static let mesh = ControlMethod(
        MethodDescription(
            "Mesh", for: .readers, takes: ["node": "?string", "all": "?bool"],
            replies: ("report", "MeshReport"),
            comment: """
                Whether IKE and ESP were seen between nodes of which one is enforced; of many pairs those
                that are not up, or with all every one, as far as a message holds them.
                """,
            types: """
                # When packets of the pair's first node to the second were seen last, and those back; missing
                # for never.
                type Sightings (forth: ?string, back: ?string)

                # The interface by which this host reaches an address; missing where it has no route.
                type Route (address: string, interface: ?string)

                # kind is one of translated (this host translates addresses between the two), traversal (UDP
                # 4500), source-port (IKE that does not come from port 500), secondary-address, stranger.
                type Evidence (kind: string, from: string, to: string, seen: string)

                # Two nodes that must reach each other by IPsec, the worst first. state is one of no-route,
                # translated, esp-missing, esp-one-way, nat-suspected, ike-one-way, silent, idle, elsewhere,
                # up; all but the last three are broken.
                type Pair (
                  first: string,
                  second: string,
                  firstAddress: string,
                  secondAddress: string,
                  state: string,
                  ike: Sightings,
                  esp: Sightings,
                  routes: []Route,
                  evidence: []Evidence
                )

                # Refused IPsec (ike, esp, or traversal for UDP 4500) between an enforced node and an address
                # that no node has.
                type Stranger (kind: string, from: string, to: string, node: string, seen: string)

                # counts tells how many pairs there are of each state. Packets are noted since notedSince, or
                # from before the agent started; while the kernel's sets are full, nothing is known of
                # further pairs.
                type MeshReport (
                  notedSince: ?string,
                  counts: [string]int,
                  pairs: []Pair,
                  omitted: int,
                  strangers: []Stranger,
                  isFull: bool
                )
                """), answer: { $0.mesh })

    /// The present state, and then each event.
    package static let monitor = ControlMethod(
        MethodDescription(
            "Monitor", for: .readers, replies: ("event", "Event"),
            comment: """
                How it stands now, and then each event as it happens. To be called with more; ends when
                the agent does.
                """,
            types: """
                # kind is one of present, applied, pending, confirmed, reverted, rejected, refused, failed,
                # probe-failed, rolled-back, flushed, repaired, fight, out-of-sync, in-sync, state,
                # shadow-found, shadow-gone, stopping. state and generation are
                # those afterwards. process and pid tell who changed our tables. lost counts the events
                # before this one that were left out because the client did not read in time.
                type Event (
                  kind: string,
                  time: string,
                  message: string,
                  state: string,
                  generation: ?int,
                  process: ?string,
                  pid: ?int,
                  shadow: ?Shadow,
                  lost: ?int
                )
                """), following: { $0.monitor })

    /// The changes that an apply would make, checked by the kernel.
    package static let plan = ControlMethod(
        MethodDescription(
            "Plan", for: .readers,
            takes: ["force": "?bool", "session": "?string", "tables": "?bool"],
            replies: ("report", "Report"),
            comment: """
                What Apply would change and end, checked by the kernel; changes nothing. With tables, how
                the tables would differ.
                """), answer: { $0.plan })

    /// Puts the configuration in force as it is now.
    package static let apply = ControlMethod(
        MethodDescription(
            "Apply", for: .root,
            takes: [
                "confirmSeconds": "?int", "force": "?bool", "session": "?string", "tables": "?bool",
            ], replies: ("report", "Report"),
            comment: """
                Loads the configuration now and puts it in force. With confirmSeconds (10 to 86400) it is
                taken back unless Confirm is called in time. session is the caller's SSH_CONNECTION, which
                the new rules must not cut; with force they may, and no probe is tried.
                """), answer: { $0.apply })

    /// Keeps the generation that waits for confirmation.
    package static let confirm = ControlMethod(
        MethodDescription(
            "Confirm", for: .root, replies: ("report", "Report"),
            comment: "Keeps the generation that waits for confirmation."), answer: { $0.confirm })

    /// Puts an older generation in force.
    package static let rollback = ControlMethod(
        MethodDescription(
            "Rollback", for: .root, takes: ["generation": "?int"], replies: ("report", "Report"),
            comment: """
                Puts an older generation in force, by default the one before, until the configuration
                changes or Apply is called.
                """), answer: { $0.rollback })

    /// Takes our tables away.
    package static let flush = ControlMethod(
        MethodDescription(
            "Flush", for: .root, replies: ("report", "Report"),
            comment: """
                Takes our tables away: nothing is enforced until the configuration changes or Apply or
                Rollback is called.
                """), answer: { $0.flush })
}
