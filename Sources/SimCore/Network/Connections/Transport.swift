import Ports

/// Ordered connections that carry messages of one type, as TCP does: what arrives is in order and complete up to some point;
/// a peer that is gone shows as refused, reset, timed out, or as nothing at all while this end is silent (half-open).
///
/// Both ends are event handlers (``ConnectionDelegate``), so that a simulated server costs no task. A message costs one event.
public final class Transport<Message>: EventHandler, ConnectionBreaking, @unchecked Sendable {
    enum Code: UInt16 {
        /// The head of a flow may be due; `first` is the connection, `second` the sending side.
        case deliver = 1
        /// A client's SYN arrives; `second` is a ``HandshakePacket``, as in the other codes of handshakes.
        case arriveAtServer = 2
        /// The answer to a SYN arrives: accepted or refused.
        case answerToClient = 3
        /// A reset arrives at the side given in `second`.
        case reset = 4
        /// A stalled flow is tried again; `second` is the sending side.
        case retry = 5
        /// A client gives up connecting.
        case connectTimeout = 6
        /// A packet of a handshake that was lost is sent again.
        case resend = 7
        /// A server that was frozen hears that a client has connected.
        case announce = 8
        /// The side given in `second` gives up an established connection.
        case giveUp = 9
    }

    /// What traces call it.
    public let name: String
    /// Outlives its transports; read for every message, which a checked reference would count twice.
    unowned(unsafe) let simulation: Simulation
    // Not checked for exclusive access at run time: a simulation runs on one thread, and no access to these spans a call
    // of foreign code. The checks were a tenth of all that an order of the shop cost.
    @exclusivity(unchecked) private(set) var handler: HandlerID!
    @exclusivity(unchecked) var table = ConnectionTable<Message>()
    /// Who accepts, by process.
    @exclusivity(unchecked) var listeners: [ProcessID: any ConnectionDelegate<Message>] = [:]
    private var crashWatch: CrashWatch<Message>!
    private let byteCount: (Message) -> Int
    private let describeMessage: (Message) -> String
    /// Takes an event in. A function made where the type of the message is known: the methods of a generic class that are
    /// called through a protocol are not specialized, and cost ten times as much.
    @exclusivity(unchecked) private var takeIn: ((KernelEvent) -> Void)!

    /// - Parameters:
    ///   - name: the protocol, shown in traces.
    ///   - byteCount: size of a message on the wire.
    public init(
        _ simulation: Simulation, name: String, byteCount: @escaping (Message) -> Int,
        describe: @escaping (Message) -> String
    ) {
        self.simulation = simulation
        self.name = name
        self.byteCount = byteCount
        describeMessage = describe
        takeIn = { [unowned self] in take($0) }
        handler = simulation.register(self)
        crashWatch = CrashWatch(self)
        simulation.network.add(self)
    }

    /// Lets a process accept connections, from now until it crashes or stops listening; a crash ends it.
    public func listen(_ process: ProcessID, delegate: any ConnectionDelegate<Message>) {
        listeners[process] = delegate
        crashWatch.watch(process, simulation)
    }

    /// Lets a process accept no further connection; those that are open stay so.
    public func stopListening(_ process: ProcessID) { listeners[process] = nil }

    /// Begins to connect. The delegate hears of the outcome: opened, or ended with refused or timed out.
    public func connect(
        from client: ProcessID, to server: ProcessID, delegate: any ConnectionDelegate<Message>
    ) -> ConnectionID {
        crashWatch.watch(client, simulation)
        let id = table.insert(
            client: .init(
                process: client, incarnation: simulation.incarnation(of: client), state: .opening, delegate: delegate),
            server: .init(process: server, incarnation: 0, state: .opening, delegate: nil))
        let deadline = simulation.now + simulation.network.connectTimeout
        simulation.schedule(at: deadline, handler, code: Code.connectTimeout.rawValue, first: id.word)
        post(HandshakePacket(isAnswer: false), id)
        return id
    }

    /// Sends a message in order. It is lost without a word when the connection ends before it arrives.
    ///
    /// - Returns: false when this end is over already.
    @discardableResult
    public func send(_ message: consuming Message, on id: ConnectionID, from side: ConnectionSide) -> Bool {
        guard isOpen(id, side) else { return false }
        if let fault = table.losesNextMessage(id, side) {
            simulation.faults.tookEffect(fault)
            breakBothEnds(id)
            return true
        }
        let size = byteCount(message)
        enqueue(id, side, message, byteCount: size)
        return true
    }

    /// Closes this end in order: the peer receives what was sent, then hears of the end. This end hears nothing more.
    public func close(_ id: ConnectionID, side: ConnectionSide) {
        guard table.contains(id), table.state(id, side) != .ended else { return }
        let wasOpen = table.state(id, side) == .open
        table.setState(id, side, .ended)
        switch table.state(id, side.other) {
        case .open where wasOpen: enqueue(id, side, nil, byteCount: 0)
        // A server that closes before its client has heard that it is connected: that comes first.
        case .opening where wasOpen: enqueue(id, side, nil, byteCount: 0)
        // A client that closes before it has heard that it is connected.
        case .open: dropAccepted(id)
        case .opening, .ended: table.setState(id, side.other, .ended)
        }
        table.releaseIfOver(id)
    }

    /// Whether this end believes that the connection is open.
    public func isOpen(_ id: ConnectionID, _ side: ConnectionSide) -> Bool {
        table.contains(id) && table.state(id, side) == .open
    }

    // MARK: Events

    /// Moves what is under way on a connection; the simulation calls it.
    public func handle(_ event: KernelEvent) { takeIn(event) }

    private func take(_ event: KernelEvent) {
        let id = ConnectionID(word: event.first)
        guard table.contains(id) else { return }
        let side = ConnectionSide(rawValue: UInt8(truncatingIfNeeded: event.second & 1))!
        let code = Code(rawValue: event.code)
        // A frozen process reads nothing; its machine still completes handshakes.
        if simulation.state.pointee.frozenCount > 0, let receiver = reader(code, id, side),
            simulation.deferWhileFrozen(event, receiver)
        {
            return
        }
        switch code {
        case .deliver: deliverDue(id, side)
        case .arriveAtServer: accept(id, HandshakePacket(word: event.second))
        case .answerToClient: answer(id, HandshakePacket(word: event.second))
        case .resend: post(HandshakePacket(word: event.second), id)
        case .announce: announce(id)
        case .reset: end(id, side, .reset)
        case .retry: retry(id, side)
        case .connectTimeout: giveUpConnecting(id)
        case .giveUp: end(id, side, .timedOut)
        case nil: preconditionFailure("transport \(name) has no event code \(event.code)")
        }
    }

    /// The event in words, for a trace.
    public func describe(_ event: KernelEvent) -> String {
        let id = ConnectionID(word: event.first)
        guard table.contains(id) else { return "\(name): a connection that is over" }
        let client = simulation.name(of: table.process(id, .client))
        let server = simulation.name(of: table.process(id, .server))
        let fromClient = event.second & 1 == 0
        let direction = fromClient ? "\(client) > \(server)" : "\(server) > \(client)"
        switch Code(rawValue: event.code) {
        case .deliver:
            guard let segment = table.flow(id, fromClient ? .client : .server).first else {
                return "\(name): \(direction): nothing left"
            }
            return "\(name): \(direction): \(segment.message.map(describeMessage) ?? "close")"
        case .arriveAtServer: return "\(name): \(client) connects to \(server)"
        case .answerToClient:
            let isRefusal = HandshakePacket(word: event.second).isRefusal
            return "\(name): \(server) \(isRefusal ? "refuses" : "accepts") \(client)"
        case .reset: return "\(name): reset arrives at \(fromClient ? client : server)"
        case .retry: return "\(name): \(direction): sent again"
        case .connectTimeout: return "\(name): \(client) looks whether \(server) has answered"
        case .resend: return "\(name): \(direction): handshake sent again"
        case .announce: return "\(name): \(server) learns that \(client) has connected"
        case .giveUp: return "\(name): \(direction): given up"
        case nil: return "\(name): code \(event.code)"
        }
    }

    private func enqueue(
        _ id: ConnectionID, _ side: ConnectionSide, _ message: consuming Message?, byteCount: Int
    ) {
        // What is sent into a connection that is cut is lost; the reset is on its way.
        if table.isCut(id) { return }
        let (from, to) = processes(id, side)
        // Loaded once: each load counts a reference.
        let network = simulation.network!
        let planned = network.state.planSegment(
            from: from, to: to, byteCount: byteCount, now: simulation.now,
            retransmissionTimeout: network.retransmissionTimeout,
            decisions: &simulation.state.pointee.decisions)
        network.creditFaults()
        let due = table.append(message, id, side, dueAt: planned)
        simulation.schedule(
            at: due, handler, code: Code.deliver.rawValue, first: id.word, second: UInt64(side.rawValue))
    }

    private func schedule(_ code: Code, _ id: ConnectionID, _ side: ConnectionSide, after span: Nanoseconds) {
        simulation.schedule(
            at: simulation.now + span, handler, code: code.rawValue, first: id.word, second: UInt64(side.rawValue))
    }

    /// Hands over the segment that is due, unless the flow is stalled or its receiver is not there.
    private func deliverDue(_ id: ConnectionID, _ side: ConnectionSide) {
        guard table.isDue(id, side, at: simulation.now) else { return }
        let (from, to) = processes(id, side)
        if isBlocked(from, to) { return stall(id, side) }
        handOver(id, side)
    }

    private func handOver(_ id: ConnectionID, _ side: ConnectionSide) {
        let receiver = table.state(id, side.other)
        guard receiver == .open else {
            if receiver == .ended { answerWithReset(id, side) }
            return
        }
        if let message = table.withFlow(id, side, { $0.removeFirst() }) {
            table.delegate(id, side.other)?.connection(id, side: side.other, received: message)
        } else {
            end(id, side.other, .closed)
        }
    }

    /// What was sent to an end that is over comes back as a reset.
    private func answerWithReset(_ id: ConnectionID, _ side: ConnectionSide) {
        let (from, to) = processes(id, side)
        guard table.state(id, side) == .open else { return }
        if !isBlocked(to, from) { post(.reset, id, from: to, to: from, second: UInt64(side.rawValue)) }
    }

    private func stall(_ id: ConnectionID, _ side: ConnectionSide) {
        // A dead process sends nothing again.
        if table.end(id, side).hasCrashed { return table.withFlow(id, side) { $0.clear() } }
        let interval = simulation.network.retransmissionTimeout
        table.withFlow(id, side) {
            $0.stalledSince = simulation.now
            $0.retryInterval = interval
        }
        schedule(.retry, id, side, after: interval)
    }

    /// Tries a stalled flow again: it flows, or waits twice as long, or gives up. The sender's machine does this; neither
    /// process need be awake for it.
    private func retry(_ id: ConnectionID, _ side: ConnectionSide) {
        let (from, to) = processes(id, side)
        let flow = table.flow(id, side)
        guard let since = flow.stalledSince else { return }
        if isBlocked(from, to) {
            if simulation.now - since >= simulation.network.connectionTimeout {
                return schedule(.giveUp, id, side, after: .zero)
            }
            let interval = min(flow.retryInterval * 2, .seconds(2))
            table.withFlow(id, side) { $0.retryInterval = interval }
            return schedule(.retry, id, side, after: interval)
        }
        table.withFlow(id, side) { $0.stalledSince = nil }
        // Everything that has fallen due meanwhile arrives now, in order; the rest has its own events.
        for _ in 0..<flow.dueCount(at: simulation.now) { schedule(.deliver, id, side, after: .zero) }
    }

    /// Hands over everything that has fallen due, in order; the rest has its own events.
    func deliverAllDue(_ id: ConnectionID, _ side: ConnectionSide) {
        while table.contains(id), table.isDue(id, side, at: simulation.now),
            table.state(id, side.other) == .open
        {
            handOver(id, side)
        }
    }

    // MARK: Parts

    /// The process that has to run for an event to be taken in; `nil` for what the machine does by itself.
    private func reader(_ code: Code?, _ id: ConnectionID, _ side: ConnectionSide) -> ProcessID? {
        switch code {
        case .deliver: table.process(id, side.other)
        case .reset, .giveUp: table.process(id, side)
        case .answerToClient, .connectTimeout: table.process(id, .client)
        case .announce: table.process(id, .server)
        case .arriveAtServer, .resend, .retry, nil: nil
        }
    }

    func processes(_ id: ConnectionID, _ side: ConnectionSide) -> (from: ProcessID, to: ProcessID) {
        (table.process(id, side), table.process(id, side.other))
    }

    func isBlocked(_ from: ProcessID, _ to: ProcessID) -> Bool {
        let network = simulation.network!
        let blocked = network.state.isBlocked(from: from, to: to)
        if blocked { network.creditFaults() }
        return blocked || simulation.isHostDown(to) || simulation.isHostDown(from)
    }

    func post(_ code: Code, _ id: ConnectionID, from: ProcessID, to: ProcessID, second: UInt64 = 0) {
        let due = simulation.network.state.planSegment(
            from: from, to: to, byteCount: 40, now: simulation.now,
            retransmissionTimeout: simulation.network.retransmissionTimeout,
            decisions: &simulation.state.pointee.decisions)
        simulation.network.creditFaults()
        simulation.schedule(at: due, handler, code: code.rawValue, first: id.word, second: second)
    }
}
