package import LinuxSystem

/// The agent's own Varlink interface.
package enum PexipFirewallInterface {
    package static let name = "org.pexipfw.Control"
    package static let defaultSocketPath = "/run/pexip-fw/control"
    /// Members may read; root may do everything.
    package static let readersGroup = "pexip-fw"

    /// Who may call a method.
    enum Access: Hashable, Sendable {
        /// It changes nothing: root and the readers' group.
        case readers
        case root
    }

    /// Each method of each interface that the agent serves, in full. Nobody may call one that is
    /// not here.
    static let access: [String: Access] = [
        "org.varlink.service.GetInfo": .readers,
        "org.varlink.service.GetInterfaceDescription": .readers,
        "\(name).Status": .readers,
        "\(name).Metrics": .readers,
        "\(name).Rules": .readers,
        "\(name).Generations": .readers,
        "\(name).Ports": .readers,
        "\(name).Counters": .readers,
        "\(name).Drops": .readers,
        "\(name).Explain": .readers,
        "\(name).Mesh": .readers,
        "\(name).Monitor": .readers,
        "\(name).Plan": .readers,
        "\(name).Apply": .root,
        "\(name).Confirm": .root,
        "\(name).Rollback": .root,
        "\(name).Flush": .root,
    ]

    /// Whether the process at the other end may call a method.
    ///
    /// - Parameter readers: the readers' group; nil where this host has none.
    package static func allows(
        _ credentials: PeerCredentials, to method: String, readers: UInt32?
    ) -> Bool {
        switch access[method] {
        case nil: false
        case .root: credentials.uid == 0
        case .readers:
            credentials.uid == 0 || readers.map(credentials.isMember(of:)) ?? false
        }
    }

    /// The interface in Varlink's description language, as `GetInterfaceDescription` tells it.
    package static let description = """
        # The pexip-fw agent: what is in force, and how to change it.
        # Times are RFC 3339 in UTC. Root may call everything; members of the group pexip-fw may
        # call what changes nothing: Status, Metrics, Rules, Generations, Ports, Counters, Drops,
        # Explain, Mesh, Monitor and Plan.
        interface org.pexipfw.Control

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

        method Status() -> (status: StatusReport)

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

        # What monitoring collects.
        method Metrics() -> (families: []MetricFamily)

        # The tables in force, in nft's language. With more, tables are told in several replies, and a
        # table's text in parts that follow each other; without, only where one reply holds all.
        method Rules() -> (tables: []Table)

        # What is stored and can be rolled back to, oldest first. With more, in several replies;
        # without, only where one reply holds all.
        method Generations() -> (generations: []Generation)

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

        # The tables of a node, or of all, as the documentation prints them, with the site's values.
        # With more, in several replies; without, only where one reply holds all.
        method Ports(node: ?string) -> (tables: []PortTable)

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

        # What was counted, of a node or of all.
        method Counters(node: ?string) -> (report: CountersReport)

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

        # Which row decides about the first packet of a new flow, and why. protocol is tcp, udp, esp,
        # icmp or a number; source and destination are ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
        method Explain(
          protocol: string,
          source: string,
          destination: string
        ) -> (report: ExplainReport)

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

        # Who is refused most, by samples, where refusals.sample is on; limit is from 1 to 100.
        method Drops(node: ?string, limit: ?int) -> (report: DropsReport)

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

        # Whether IKE and ESP were seen between nodes of which one is enforced; of many pairs those
        # that are not up, or with all every one, as far as a message holds them.
        method Mesh(node: ?string, all: ?bool) -> (report: MeshReport)

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

        # How it stands now, and then each event as it happens. To be called with more; ends when
        # the agent does.
        method Monitor() -> (event: Event)

        # What Apply would change and end, checked by the kernel; changes nothing. With tables, how
        # the tables would differ.
        method Plan(force: ?bool, session: ?string, tables: ?bool) -> (report: Report)

        # Loads the configuration now and puts it in force. With confirmSeconds (10 to 86400) it is
        # taken back unless Confirm is called in time. session is the caller's SSH_CONNECTION, which
        # the new rules must not cut; with force they may, and no probe is tried.
        method Apply(
          confirmSeconds: ?int,
          force: ?bool,
          session: ?string,
          tables: ?bool
        ) -> (report: Report)

        # Keeps the generation that waits for confirmation.
        method Confirm() -> (report: Report)

        # Puts an older generation in force, by default the one before, until the configuration
        # changes or Apply is called.
        method Rollback(generation: ?int) -> (report: Report)

        # Takes our tables away: nothing is enforced until the configuration changes or Apply or
        # Rollback is called.
        method Flush() -> (report: Report)

        # The question can't be answered; message says why and what to do.
        error Refused (message: string)

        error InternalError ()
        """
}
