import Ports

/// Ordered connections that carry messages of one type, as TCP does: what arrives is in order and complete up to some point;
/// a peer that is gone shows as refused, reset, timed out, or as nothing at all while this end is silent (half-open).
///
/// Both ends are event handlers (``ConnectionDelegate``), so that a simulated server costs no task. A message costs one event.
public final class Transport<Message>: EventHandler, ConnectionBreaking, @unchecked Sendable {
    private enum Code: UInt16 {
        /// The head of a flow may be due; `first` is the connection, `second` the sending side.
        case deliver = 1
        /// A client's SYN arrives.
        case arriveAtServer = 2
        /// The answer to a SYN arrives: accepted or refused (`second` = 1).
        case answerToClient = 3
        /// A reset arrives at the side given in `second`.
        case reset = 4
        /// A stalled flow is tried again; `second` is the sending side.
        case retry = 5
        /// A client gives up connecting.
        case connectTimeout = 6
    }

    public let name: String
    private unowned let simulation: Simulation
    private var handler: HandlerID!
    private var table = ConnectionTable<Message>()
    /// Who accepts, by process.
    private var listeners: [ProcessID: any ConnectionDelegate<Message>] = [:]
    private var crashWatch: CrashWatch<Message>!
    private let byteCount: (Message) -> Int
    private let describeMessage: (Message) -> String

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
        handler = simulation.register(self)
        crashWatch = CrashWatch(self)
        simulation.network.add(self)
    }

    /// Lets a process accept connections, from now until it crashes or stops listening; a crash ends it.
    public func listen(_ process: ProcessID, delegate: any ConnectionDelegate<Message>) {
        listeners[process] = delegate
        crashWatch.watch(process, simulation)
    }

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
        if !isBlocked(client, server) {
            post(.arriveAtServer, id, from: client, to: server)
        }
        return id
    }

    /// Sends a message in order. It is lost without a word when the connection ends before it arrives.
    ///
    /// - Returns: false when this end is over already.
    @discardableResult
    public func send(_ message: Message, on id: ConnectionID, from side: ConnectionSide) -> Bool {
        guard isOpen(id, side) else { return false }
        let end = table.end(id, side)
        if let fault = end.losesNextMessage {
            simulation.faults.tookEffect(fault)
            breakBothEnds(id)
            return true
        }
        enqueue(id, side, message, byteCount: byteCount(message))
        return true
    }

    /// Closes this end in order: the peer receives what was sent, then hears of the end. This end hears nothing more.
    public func close(_ id: ConnectionID, side: ConnectionSide) {
        guard table.contains(id), table.end(id, side).state != .ended else { return }
        let wasOpen = table.end(id, side).state == .open
        table.setState(id, side, .ended)
        if wasOpen, table.end(id, side.other).state == .open {
            enqueue(id, side, nil, byteCount: 0)
        } else {
            table.setState(id, side.other, .ended)
        }
        table.releaseIfOver(id)
    }

    /// Whether this end believes that the connection is open.
    public func isOpen(_ id: ConnectionID, _ side: ConnectionSide) -> Bool {
        table.contains(id) && table.end(id, side).state == .open
    }

    // MARK: Events

    public func handle(_ event: KernelEvent) {
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
        case .arriveAtServer: accept(id)
        case .answerToClient: answer(id, refused: event.second == 1)
        case .reset: end(id, side, .reset)
        case .retry: retry(id, side)
        case .connectTimeout:
            if table.end(id, .client).state == .opening {
                table.setState(id, .server, .ended)
                end(id, .client, .timedOut)
            }
        case nil: preconditionFailure("transport \(name) has no event code \(event.code)")
        }
    }

    public func describe(_ event: KernelEvent) -> String {
        let id = ConnectionID(word: event.first)
        guard table.contains(id) else { return "\(name): a connection that is over" }
        let client = simulation.name(of: table.end(id, .client).process)
        let server = simulation.name(of: table.end(id, .server).process)
        let fromClient = event.second & 1 == 0
        let direction = fromClient ? "\(client) > \(server)" : "\(server) > \(client)"
        switch Code(rawValue: event.code) {
        case .deliver:
            let flow = table.withConnectionForReading(id) { fromClient ? $0.flows.0 : $0.flows.1 }
            guard let segment = flow.first else { return "\(name): \(direction): nothing left" }
            return "\(name): \(direction): \(segment.message.map(describeMessage) ?? "close")"
        case .arriveAtServer: return "\(name): \(client) connects to \(server)"
        case .answerToClient: return "\(name): \(server) \(event.second == 1 ? "refuses" : "accepts") \(client)"
        case .reset: return "\(name): reset arrives at \(fromClient ? client : server)"
        case .retry: return "\(name): \(direction): sent again"
        case .connectTimeout: return "\(name): \(client) looks whether \(server) has answered"
        case nil: return "\(name): code \(event.code)"
        }
    }

    private func accept(_ id: ConnectionID) {
        let client = table.end(id, .client)
        let server = table.end(id, .server).process
        if isBlocked(client.process, server) { return }
        guard simulation.state(of: server) == .running || simulation.state(of: server) == .paused,
            let listener = listeners[server]
        else {
            return post(.answerToClient, id, from: server, to: client.process, second: 1)
        }
        table.withConnection(id) {
            $0.server.incarnation = simulation.incarnation(of: server)
            $0.server.state = .open
            $0.server.delegate = listener
        }
        post(.answerToClient, id, from: server, to: client.process, second: 0)
        listener.connectionOpened(id, side: .server, peer: client.process)
    }

    private func answer(_ id: ConnectionID, refused: Bool) {
        let client = table.end(id, .client)
        guard client.state == .opening, !isBlocked(table.end(id, .server).process, client.process) else { return }
        if refused {
            table.setState(id, .server, .ended)
            return end(id, .client, .refused)
        }
        table.setState(id, .client, .open)
        client.delegate?.connectionOpened(id, side: .client, peer: table.end(id, .server).process)
        // What the server sent right away may have overtaken its acceptance.
        deliverAllDue(id, .server)
    }

    private func enqueue(_ id: ConnectionID, _ side: ConnectionSide, _ message: Message?, byteCount: Int) {
        // What is sent into a connection that is cut is lost; the reset is on its way.
        if table.withConnection(id, { $0.isCut }) { return }
        let (from, to) = processes(id, side)
        var due = simulation.network.state.planSegment(
            from: from, to: to, byteCount: byteCount, now: simulation.now,
            retransmissionTimeout: simulation.network.retransmissionTimeout,
            decisions: &simulation.state.pointee.decisions)
        simulation.network.creditFaults()
        table.withConnection(id) { connection in
            if side == .client {
                if let last = connection.flows.0.lastDueAt { due = max(due, last) }
                connection.flows.0.segments.append(.init(dueAt: due, message: message))
            } else {
                if let last = connection.flows.1.lastDueAt { due = max(due, last) }
                connection.flows.1.segments.append(.init(dueAt: due, message: message))
            }
        }
        simulation.schedule(
            at: due, handler, code: Code.deliver.rawValue, first: id.word, second: UInt64(side.rawValue))
    }

    /// Hands over the segment that is due, unless the flow is stalled or its receiver is not there.
    private func deliverDue(_ id: ConnectionID, _ side: ConnectionSide) {
        let flow = side == .client ? table.connections[Int(id.index)].flows.0 : table.connections[Int(id.index)].flows.1
        guard flow.stalledSince == nil, let first = flow.first, first.dueAt <= simulation.now else { return }
        let (from, to) = processes(id, side)
        if isBlocked(from, to) { return stall(id, side) }
        handOver(id, side)
    }

    private func handOver(_ id: ConnectionID, _ side: ConnectionSide) {
        let receiver = table.end(id, side.other)
        guard receiver.state == .open else {
            if receiver.state == .ended { answerWithReset(id, side) }
            return
        }
        let segment = table.withConnection(id) {
            side == .client ? $0.flows.0.removeFirst() : $0.flows.1.removeFirst()
        }
        if let message = segment.message {
            receiver.delegate?.connection(id, side: side.other, received: message)
        } else {
            end(id, side.other, .closed)
        }
    }

    /// What was sent to an end that is over comes back as a reset.
    private func answerWithReset(_ id: ConnectionID, _ side: ConnectionSide) {
        let (from, to) = processes(id, side)
        guard table.end(id, side).state == .open else { return }
        if !isBlocked(to, from) { post(.reset, id, from: to, to: from, second: UInt64(side.rawValue)) }
    }

    private func stall(_ id: ConnectionID, _ side: ConnectionSide) {
        let interval = simulation.network.retransmissionTimeout
        table.withConnection(id) { connection in
            if side == .client {
                connection.flows.0.stalledSince = simulation.now
                connection.flows.0.retryInterval = interval
            } else {
                connection.flows.1.stalledSince = simulation.now
                connection.flows.1.retryInterval = interval
            }
        }
        simulation.schedule(
            at: simulation.now + interval, handler, code: Code.retry.rawValue, first: id.word,
            second: UInt64(side.rawValue))
    }

    /// Tries a stalled flow again: it flows, or waits twice as long, or gives up.
    private func retry(_ id: ConnectionID, _ side: ConnectionSide) {
        let (from, to) = processes(id, side)
        let flow = side == .client ? table.connections[Int(id.index)].flows.0 : table.connections[Int(id.index)].flows.1
        guard let since = flow.stalledSince else { return }
        if isBlocked(from, to) {
            if simulation.now - since >= simulation.network.connectionTimeout {
                return end(id, side, .timedOut)
            }
            let interval = min(flow.retryInterval * 2, .seconds(2))
            table.withConnection(id) {
                if side == .client { $0.flows.0.retryInterval = interval } else { $0.flows.1.retryInterval = interval }
            }
            simulation.schedule(
                at: simulation.now + interval, handler, code: Code.retry.rawValue, first: id.word,
                second: UInt64(side.rawValue))
            return
        }
        table.withConnection(id) {
            if side == .client { $0.flows.0.stalledSince = nil } else { $0.flows.1.stalledSince = nil }
        }
        deliverAllDue(id, side)
        if table.contains(id), table.end(id, side.other).state == .ended { answerWithReset(id, side) }
    }

    /// Hands over everything that has fallen due, in order; the rest has its own events.
    private func deliverAllDue(_ id: ConnectionID, _ side: ConnectionSide) {
        while table.contains(id) {
            let flow =
                side == .client ? table.connections[Int(id.index)].flows.0 : table.connections[Int(id.index)].flows.1
            guard flow.stalledSince == nil, let first = flow.first, first.dueAt <= simulation.now,
                table.end(id, side.other).state == .open
            else { break }
            handOver(id, side)
        }
    }

    // MARK: Ends

    /// This end is over; its delegate hears of it.
    private func end(_ id: ConnectionID, _ side: ConnectionSide, _ why: ConnectionEnd) {
        let ended = table.end(id, side)
        guard ended.state != .ended else { return table.releaseIfOver(id) }
        table.setState(id, side, .ended)
        if why == .closed, table.end(id, side.other).state == .ended {
            table.releaseIfOver(id)
        } else if why == .refused || why == .timedOut, table.end(id, side.other).state != .open {
            table.setState(id, side.other, .ended)
            table.releaseIfOver(id)
        } else {
            table.releaseIfOver(id)
        }
        ended.delegate?.connectionEnded(id, side: side, why)
    }

    /// Cuts a connection in the middle: both ends hear of a reset as soon as the network brings it.
    private func breakBothEnds(_ id: ConnectionID) {
        let client = table.end(id, .client).process
        let server = table.end(id, .server).process
        table.withConnection(id) {
            $0.isCut = true
            $0.flows.0.clear()
            $0.flows.1.clear()
            $0.client.losesNextMessage = nil
            $0.server.losesNextMessage = nil
        }
        post(.reset, id, from: server, to: client, second: UInt64(ConnectionSide.client.rawValue))
        post(.reset, id, from: client, to: server, second: UInt64(ConnectionSide.server.rawValue))
    }

    func resetConnections(between left: ProcessSet, and right: ProcessSet) -> Int {
        forEachOpen { client, server in
            left.contains(client) && right.contains(server) || left.contains(server) && right.contains(client)
        } do: {
            breakBothEnds($0)
        }
    }

    func loseNextAnswers(from servers: ProcessSet, to clients: ProcessSet, fault: FaultInstanceID) -> Int {
        forEachOpen { client, server in
            servers.contains(server) && clients.contains(client)
        } do: { id in
            table.withConnection(id) { $0.server.losesNextMessage = fault }
        }
    }

    private func forEachOpen(
        where matches: (_ client: ProcessID, _ server: ProcessID) -> Bool, do body: (ConnectionID) -> Void
    ) -> Int {
        var count = 0
        for id in table.ids
        where table.end(id, .server).state == .open
            && matches(table.end(id, .client).process, table.end(id, .server).process)
        {
            body(id)
            count += 1
        }
        return count
    }

    /// A process died: its ends are over. Its machine answers for it with resets, unless the machine died too.
    func processCrashed(_ process: ProcessID) {
        listeners[process] = nil
        let isHostDown = simulation.isHostDown(process)
        for id in table.ids {
            for side in [ConnectionSide.client, .server] where table.end(id, side).process == process {
                guard table.end(id, side).state != .ended else { continue }
                let peer = table.end(id, side.other)
                table.setState(id, side, .ended)
                if peer.state == .opening { table.setState(id, side.other, .ended) }
                if peer.state == .open, !isHostDown, !isBlocked(process, peer.process) {
                    post(.reset, id, from: process, to: peer.process, second: UInt64(side.other.rawValue))
                }
                table.releaseIfOver(id)
                if !table.contains(id) { break }
            }
        }
    }

    // MARK: Parts

    /// The process that has to run for an event to be taken in; `nil` for what the machine does by itself.
    private func reader(_ code: Code?, _ id: ConnectionID, _ side: ConnectionSide) -> ProcessID? {
        switch code {
        case .deliver, .retry: table.end(id, side.other).process
        case .reset: table.end(id, side).process
        case .answerToClient, .connectTimeout: table.end(id, .client).process
        case .arriveAtServer, nil: nil
        }
    }

    private func processes(_ id: ConnectionID, _ side: ConnectionSide) -> (from: ProcessID, to: ProcessID) {
        (table.end(id, side).process, table.end(id, side.other).process)
    }

    private func isBlocked(_ from: ProcessID, _ to: ProcessID) -> Bool {
        let blocked = simulation.network.state.isBlocked(from: from, to: to)
        if blocked { simulation.network.creditFaults() }
        return blocked || simulation.isHostDown(to) || simulation.isHostDown(from)
    }

    private func post(_ code: Code, _ id: ConnectionID, from: ProcessID, to: ProcessID, second: UInt64 = 0) {
        let due = simulation.network.state.planSegment(
            from: from, to: to, byteCount: 40, now: simulation.now,
            retransmissionTimeout: simulation.network.retransmissionTimeout,
            decisions: &simulation.state.pointee.decisions)
        simulation.network.creditFaults()
        simulation.schedule(at: due, handler, code: code.rawValue, first: id.word, second: second)
    }
}

/// Tells a transport of crashes, once for each process that has connections.
private final class CrashWatch<Message>: ProcessObserver {
    private unowned let transport: Transport<Message>
    private var watched: Set<ProcessID> = []

    init(_ transport: Transport<Message>) { self.transport = transport }

    func watch(_ process: ProcessID, _ simulation: Simulation) {
        if watched.insert(process).inserted { simulation.observe(process, by: self) }
    }

    func processStarted(_ process: ProcessID, incarnation: UInt32) {}
    func processCrashed(_ process: ProcessID) { transport.processCrashed(process) }
}
