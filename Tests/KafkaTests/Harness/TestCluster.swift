import Ports
import SimCore

/// Holds a broker, which cannot be copied.
final class BrokerBox {
    var broker: Broker
    init(_ broker: consuming Broker) { self.broker = broker }
}

/// A whole Kafka cluster with its clients on one small event loop: latency, ordered connections, and faults on demand.
final class TestCluster {
    enum Event {
        case request(connection: Int, KafkaRequest)
        case response(connection: Int, KafkaResponse)
        /// The side that opened a connection learns that it is gone.
        case failed(connection: Int)
        /// The side that accepted it learns so.
        case closed(connection: Int)
        case nodeTimer(NodeID, incarnation: Int)
        case clientTimer(NodeID)
        case action(() -> Void)
    }

    struct Connection {
        let client: NodeID
        let server: NodeID
        let channel: Channel
        /// Requests are sent on it as long as the client believes in it.
        var isOpen = true
        var isClosedAtServer = false
        var toServerBusyUntil: Int64 = 0
        var toClientBusyUntil: Int64 = 0
    }

    /// What a test decides about a request on its way.
    enum Delivery {
        case deliver
        /// The request is lost; nobody is told.
        case drop
        /// The request arrives later, and what follows it on its connection too, even when that is given up by then.
        case delay(Nanoseconds)
        /// The request takes effect, the answer is lost.
        case dropResponse
        /// The request does not arrive; this comes back instead.
        case answer(KafkaResponseBody)
    }

    static let controllerID = NodeID(0)
    static let firstClient: Int32 = 1_000

    private(set) var now: Instant = .epoch
    var latency: Nanoseconds = .microseconds(500)
    var controller: Controller
    private(set) var brokers: [BrokerBox]
    private var incarnations: [Int]
    private var isAlive: [Bool]
    var clients: [TestClient] = []
    private var heap = EventHeap<Event>()
    private var connections: [Connection] = []
    private var openConnections: [[Int]] = []
    private var nodeEffects: [NodeEffect] = []
    private var clientEffects: [ClientEffect] = []
    private var nextCall: Int64 = 0
    private(set) var eventCount = 0
    private var eventsAtOnce = 0
    /// Pairs of nodes that cannot reach each other now.
    private var cuts: Set<[Int32]> = []
    private var held: [(connection: Int, event: Event)] = []
    /// Decides what happens to a request; all are delivered without it.
    var onRequest: ((_ from: NodeID, _ to: NodeID, _ body: KafkaRequestBody) -> Delivery)?
    private var lostResponses: Set<[Int64]> = []
    private let settings: ClusterSettings

    /// Starts a cluster and waits until all brokers serve.
    init(brokers count: Int = 3, settings: ClusterSettings = ClusterSettings()) {
        self.settings = settings
        controller = Controller(settings: settings)
        brokers = (0..<count).map {
            BrokerBox(Broker(id: NodeID(Int32($0 + 1)), controller: Self.controllerID, settings: settings))
        }
        incarnations = Array(repeating: 0, count: count + 1)
        isAlive = Array(repeating: false, count: count + 1)
        openConnections = Array(repeating: [], count: count + 1)
        for node in 0...count { start(NodeID(Int32(node))) }
        run(for: .seconds(30)) { self.brokers.allSatisfy { !$0.broker.isFenced } }
        precondition(brokers.allSatisfy { !$0.broker.isFenced }, "the cluster did not start")
    }

    var brokerIDs: [NodeID] { brokers.map { $0.broker.id } }
    func box(_ id: NodeID) -> BrokerBox { brokers[Int(id.rawValue) - 1] }
    func isFenced(_ node: NodeID) -> Bool { box(node).broker.isFenced }
    func isRunning(_ node: NodeID) -> Bool { isAlive[Int(node.rawValue)] }

    // MARK: Time

    func newCall() -> CallID {
        nextCall += 1
        return CallID(nextCall)
    }

    /// Runs until `condition` holds, at most for `span`. Returns whether it held.
    @discardableResult
    func run(for span: Nanoseconds, until condition: () -> Bool = { false }) -> Bool {
        let end = (now + span).nanosecondsSinceEpoch
        while !condition() {
            guard let next = heap.nextTime, next <= end else {
                now = Instant(nanosecondsSinceEpoch: end)
                return condition()
            }
            step()
        }
        return true
    }

    func after(_ span: Nanoseconds, _ action: @escaping () -> Void) {
        heap.add(.action(action), at: (now + span).nanosecondsSinceEpoch)
    }

    private func step() {
        guard let (time, event) = heap.removeFirst() else { return }
        eventsAtOnce = now.nanosecondsSinceEpoch == time ? eventsAtOnce + 1 : 0
        precondition(eventsAtOnce < 100_000, "time stands still at \(now): \(event)")
        now = Instant(nanosecondsSinceEpoch: time)
        eventCount += 1
        switch event {
        case .request(let index, let request): deliver(request, on: index)
        case .response(let index, let response): deliver(response, on: index)
        case .failed(let index):
            let connection = connections[index]
            guard connection.isOpen else { return }
            forget(index)
            handle(connection.client, nodeEvent: .connectionFailed(connection.server, connection.channel)) {
                .connectionFailed(connection.server, connection.channel)
            }
        case .closed(let index):
            guard !connections[index].isClosedAtServer else { return }
            connections[index].isClosedAtServer = true
            handle(connections[index].server, .connectionClosed(KafkaConnectionID(Int64(index))))
        case .nodeTimer(let node, let incarnation):
            guard incarnations[Int(node.rawValue)] == incarnation else { return }
            handle(node, .timerFired)
        case .clientTimer(let node):
            handleClient(node, .timerFired)
        case .action(let action):
            action()
        }
    }

    // MARK: Nodes

    func start(_ node: NodeID) {
        let index = Int(node.rawValue)
        guard !isAlive[index] else { return }
        isAlive[index] = true
        handle(node, .started(incarnation: Int64(incarnations[index] + 1) * 1_000 + Int64(index)))
    }

    /// The process dies at once. Its disk keeps what the page cache holds, unless `losesUnflushed`.
    func kill(_ node: NodeID, losesUnflushed: Bool = false) {
        let index = Int(node.rawValue)
        guard isAlive[index] else { return }
        isAlive[index] = false
        incarnations[index] += 1
        dispatch(node, .stopped)
        nodeEffects.removeAll()
        for connection in connections.indices where connections[connection].isOpen {
            if connections[connection].server == node {
                closeAtServer(connection)
            } else if connections[connection].client == node {
                closeAtClient(connection)
            }
        }
        if losesUnflushed {
            for partition in controller.metadata.partitions {
                brokers[index - 1].broker.loseUnflushedTail(of: partition.id, from: 0)
            }
        }
    }

    func shutDown(_ node: NodeID) { handle(node, .shutdownRequested) }

    func restart(_ node: NodeID, losesUnflushed: Bool = false) {
        kill(node, losesUnflushed: losesUnflushed)
        start(node)
    }

    /// Everything that is in the logs now has reached the disks.
    func flushAll() {
        for index in brokers.indices {
            for partition in controller.metadata.partitions { brokers[index].broker.flushed(partition.id, upTo: .max) }
        }
    }

    func failStorage(of node: NodeID) { handle(node, .storageFailed) }

    private func dispatch(_ node: NodeID, _ event: NodeEvent) {
        if node == Self.controllerID {
            controller.handle(event, now: now, effects: &nodeEffects)
        } else {
            brokers[Int(node.rawValue) - 1].broker.handle(event, now: now, effects: &nodeEffects)
        }
    }

    private func handle(_ node: NodeID, _ event: NodeEvent) {
        guard isAlive[Int(node.rawValue)] else { return }
        dispatch(node, event)
        var index = 0
        while index < nodeEffects.count {
            perform(nodeEffects[index], of: node)
            index += 1
        }
        nodeEffects.removeAll(keepingCapacity: true)
    }

    private func handle(_ client: NodeID, nodeEvent: NodeEvent, clientEvent: () -> ClientEvent) {
        if client.rawValue >= Self.firstClient {
            handleClient(client, clientEvent())
        } else {
            handle(client, nodeEvent)
        }
    }

    private func perform(_ effect: NodeEffect, of node: NodeID) {
        switch effect {
        case .request(let server, let channel, let request): send(request, from: node, to: server, channel)
        case .respond(let connection, let response): respond(response, on: Int(connection.rawValue))
        case .close(let connection):
            closeAtServer(Int(connection.rawValue))
        case .disconnect(let server, let channel): disconnect(node, server, channel)
        case .setTimer(let at):
            heap.add(
                .nodeTimer(node, incarnation: incarnations[Int(node.rawValue)]), at: at.nanosecondsSinceEpoch)
        case .flush(let partition, let offset):
            if node != Self.controllerID { brokers[Int(node.rawValue) - 1].broker.flushed(partition, upTo: offset) }
        case .halt:
            after(.zero) { self.kill(node) }
        }
    }

    // MARK: Clients

    func add(_ client: TestClient) -> NodeID {
        clients.append(client)
        openConnections.append([])
        return NodeID(Self.firstClient + Int32(clients.count) - 1)
    }

    func client(_ node: NodeID) -> TestClient { clients[Int(node.rawValue - Self.firstClient)] }

    /// The client's process dies: its connections break, and nothing of it answers any more.
    func killClient(_ node: NodeID) {
        client(node).isDead = true
        for connection in connections.indices
        where connections[connection].client == node && connections[connection].isOpen {
            closeAtClient(connection)
        }
    }

    private func handleClient(_ node: NodeID, _ event: ClientEvent) {
        let client = client(node)
        guard !client.isDead else { return }
        call(node) { client.handle(event, now: self.now, effects: &$0) }
    }

    /// Runs something on a client and carries out what it wants.
    func call(_ node: NodeID, _ body: (inout [ClientEffect]) -> Void) {
        var effects: [ClientEffect] = []
        swap(&effects, &clientEffects)
        body(&effects)
        for effect in effects { perform(effect, ofClient: node) }
        effects.removeAll(keepingCapacity: true)
        swap(&effects, &clientEffects)
    }

    private func perform(_ effect: ClientEffect, ofClient node: NodeID) {
        switch effect {
        case .request(let server, let channel, let request): send(request, from: node, to: server, channel)
        case .disconnect(let server, let channel): disconnect(node, server, channel)
        case .setTimer(let at): heap.add(.clientTimer(node), at: at.nanosecondsSinceEpoch)
        case .complete(let call, let result): client(node).completed(call, result)
        case .callback(let kind, let partitions): client(node).callback(kind, partitions)
        }
    }

    // MARK: Network

    /// Cuts two nodes off from each other; what they send meanwhile arrives after ``heal()``.
    func cut(_ left: NodeID, _ right: NodeID) { cuts.insert([left.rawValue, right.rawValue].sorted()) }

    /// Cuts a node off from every other.
    func isolate(_ node: NodeID) {
        for other in [Self.controllerID] + brokerIDs where other != node { cut(node, other) }
        for index in clients.indices { cut(node, NodeID(Self.firstClient + Int32(index))) }
    }

    func heal() {
        cuts.removeAll()
        let waiting = held
        held.removeAll()
        for (_, event) in waiting { heap.add(event, at: (now + latency).nanosecondsSinceEpoch) }
    }

    private func isCut(_ connection: Connection) -> Bool {
        !cuts.isEmpty && cuts.contains([connection.client.rawValue, connection.server.rawValue].sorted())
    }

    private func slot(_ node: NodeID) -> Int {
        node.rawValue >= Self.firstClient
            ? Int(node.rawValue - Self.firstClient) + brokers.count + 1 : Int(node.rawValue)
    }

    private func openConnection(_ client: NodeID, _ server: NodeID, _ channel: Channel) -> Int {
        let slot = slot(client)
        for index in openConnections[slot]
        where connections[index].server == server && connections[index].channel == channel {
            return index
        }
        connections.append(Connection(client: client, server: server, channel: channel))
        openConnections[slot].append(connections.count - 1)
        return connections.count - 1
    }

    private func send(_ request: KafkaRequest, from client: NodeID, to server: NodeID, _ channel: Channel) {
        let index = openConnection(client, server, channel)
        guard isAlive[Int(server.rawValue)] else { return closeAtServer(index) }
        switch onRequest?(client, server, request.body) ?? .deliver {
        case .deliver: break
        case .drop: return
        case .delay(let span):
            let arrival = (now + latency + span).nanosecondsSinceEpoch
            connections[index].toServerBusyUntil = arrival
            return heap.add(.request(connection: index, request), at: arrival)
        case .answer(let body):
            let arrival = max((now + latency * 2).nanosecondsSinceEpoch, connections[index].toClientBusyUntil)
            connections[index].toClientBusyUntil = arrival
            return heap.add(.response(connection: index, .make(request.correlation, body)), at: arrival)
        case .dropResponse:
            lostResponses.insert([Int64(index), Int64(request.correlation)])
        }
        if isCut(connections[index]) {
            held.append((index, .request(connection: index, request)))
            return
        }
        let arrival = max((now + latency).nanosecondsSinceEpoch, connections[index].toServerBusyUntil)
        connections[index].toServerBusyUntil = arrival
        heap.add(.request(connection: index, request), at: arrival)
    }

    private func respond(_ response: KafkaResponse, on index: Int) {
        guard connections[index].isOpen else { return }
        if !lostResponses.isEmpty, lostResponses.remove([Int64(index), Int64(response.correlation)]) != nil { return }
        if isCut(connections[index]) {
            held.append((index, .response(connection: index, response)))
            return
        }
        let arrival = max((now + latency).nanosecondsSinceEpoch, connections[index].toClientBusyUntil)
        connections[index].toClientBusyUntil = arrival
        heap.add(.response(connection: index, response), at: arrival)
    }

    private func deliver(_ request: KafkaRequest, on index: Int) {
        guard !connections[index].isClosedAtServer else { return }
        handle(connections[index].server, .request(from: KafkaConnectionID(Int64(index)), request))
    }

    private func deliver(_ response: KafkaResponse, on index: Int) {
        let connection = connections[index]
        guard connection.isOpen else { return }
        if connection.client.rawValue >= Self.firstClient {
            handleClient(connection.client, .response(from: connection.server, connection.channel, response))
        } else {
            handle(connection.client, .response(from: connection.server, connection.channel, response))
        }
    }

    /// The server's side goes: the client learns it after what was sent to it before.
    private func closeAtServer(_ index: Int) {
        guard connections[index].isOpen, !connections[index].isClosedAtServer else { return }
        connections[index].isClosedAtServer = true
        let arrival = max((now + latency).nanosecondsSinceEpoch, connections[index].toClientBusyUntil)
        heap.add(.failed(connection: index), at: arrival)
    }

    /// The client gives up the connection: nothing from it is heard any more.
    private func closeAtClient(_ index: Int) {
        forget(index)
        let arrival = max((now + latency).nanosecondsSinceEpoch, connections[index].toServerBusyUntil)
        heap.add(.closed(connection: index), at: arrival)
    }

    private func forget(_ index: Int) {
        connections[index].isOpen = false
        openConnections[slot(connections[index].client)].removeAll { $0 == index }
    }

    private func disconnect(_ client: NodeID, _ server: NodeID, _ channel: Channel) {
        let open = openConnections[slot(client)].first {
            connections[$0].server == server && connections[$0].channel == channel
        }
        if let index = open { closeAtClient(index) }
    }
}
