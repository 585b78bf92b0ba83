public import Ports

/// What can break a connection between two processes from outside: every transport registers with the network.
protocol ConnectionBreaking: AnyObject {
    /// Resets the open connections between the two groups; returns how many there were.
    func resetConnections(between left: ProcessSet, and right: ProcessSet) -> Int
    /// Lets the next answer on each such connection be lost after its request took effect.
    func loseNextAnswers(from servers: ProcessSet, to clients: ProcessSet, fault: FaultInstanceID) -> Int
}

/// What keeps datagrams that a clog holds back.
protocol DatagramHolding: AnyObject {
    /// Lets go of what nothing holds back any more, in the order in which it came.
    func releaseHeld()
}

/// The network of a simulation: the state of the links, and the transports that run over it.
public final class SimulatedNetwork {
    /// What every link is like and what disturbs it now.
    public var state: NetworkState {
        _read { yield links.pointee }
        _modify { yield &links.pointee }
    }
    /// Behind a pointer, to spare exclusivity checks for each message.
    private let links: UnsafeMutablePointer<NetworkState>
    private unowned(unsafe) let simulation: Simulation
    private var transports: ContiguousArray<any ConnectionBreaking> = []
    private var holders: ContiguousArray<any DatagramHolding> = []
    /// How long a lost segment of a connection waits until it is sent again; doubles with each loss (RFC 6298).
    @exclusivity(unchecked) public var retransmissionTimeout: Nanoseconds = .milliseconds(200)
    /// How long a connection survives without an acknowledgement (`TCP_USER_TIMEOUT`, RFC 5482).
    public var connectionTimeout: Nanoseconds = .seconds(15)
    /// How long an attempt to connect goes on without an answer.
    public var connectTimeout: Nanoseconds = .seconds(5)

    init(simulation: Simulation) {
        self.simulation = simulation
        links = .allocate(capacity: 1)
        links.initialize(to: NetworkState())
    }

    deinit {
        links.deinitialize(count: 1)
        links.deallocate()
    }

    /// Installs a disturbance and returns what takes it away.
    public func disturb(_ disturbance: NetworkDisturbance) -> NetworkDisturbanceID { state.install(disturbance) }
    /// Takes a disturbance away, and lets go of what only it has held back; no effect when it is gone already.
    public func undisturb(_ id: NetworkDisturbanceID) {
        state.remove(id)
        for holder in holders { holder.releaseHeld() }
    }

    func add(_ transport: any ConnectionBreaking) { transports.append(transport) }
    func add(_ holder: any DatagramHolding) { holders.append(holder) }

    /// Resets the open connections between two groups of processes.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func resetConnections(between left: ProcessSet, and right: ProcessSet) -> Int {
        transports.reduce(0) { $0 + $1.resetConnections(between: left, and: right) }
    }

    /// Lets the next answer of each connection from the servers to the clients be lost, the connection with it, although the
    /// request took effect.
    @discardableResult
    public func loseNextAnswers(from servers: ProcessSet, to clients: ProcessSet, fault: FaultInstanceID) -> Int {
        transports.reduce(0) { $0 + $1.loseNextAnswers(from: servers, to: clients, fault: fault) }
    }

    /// Credits the faults that changed the fate of a message just now.
    func creditFaults() {
        guard !state.bitten.isEmpty else { return }
        for fault in state.takeBitten() { simulation.faults.tookEffect(fault) }
    }
}
