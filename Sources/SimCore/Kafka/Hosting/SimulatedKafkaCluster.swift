public import Ports

/// A Kafka cluster in a simulation: a controller and brokers, each a process on the simulated network and disks.
public final class SimulatedKafkaCluster: @unchecked Sendable {
    static let controllerID = NodeID(0)

    let simulation: Simulation
    let settings: ClusterSettings
    let transport: Transport<KafkaWireMessage>
    private(set) var nodes: ContiguousArray<KafkaNodeHost> = []
    /// What unclean elections may be about to lose.
    var endangered: ContiguousArray<EndangeredRecords> = []
    /// Told before a fault deletes records, so that whoever follows the logs from outside can look at them first.
    public var willDeleteRecords: (() -> Void)?
    /// Groups and the topics that they read for good: the fault that deletes early spares what they have not read, even
    /// when they have no member at the time and have never committed. Others are known only while they have members or offsets.
    public var readers: [(group: String, topics: [String])] = []
    /// Told of committed records that an unclean election has lost: the partition, and what no replica that may lead has.
    public var onLostRecords: ((TopicPartition, [ConsumerRecord]) -> Void)?

    /// Adds the processes `kafka-controller` and `kafka-1` to `kafka-N`.
    public convenience init(_ simulation: Simulation, brokerCount: Int = 3) {
        self.init(simulation, brokerCount: brokerCount, settings: ClusterSettings())
    }

    package init(
        _ simulation: Simulation, brokerCount: Int, settings: ClusterSettings, disk: DiskSettings = DiskSettings()
    ) {
        precondition(brokerCount > 0, "a cluster needs a broker")
        self.simulation = simulation
        self.settings = settings
        transport = Transport(simulation, name: "kafka", byteCount: { $0.byteCount }, describe: { $0.description })
        nodes.append(
            KafkaNodeHost(
                self, node: Self.controllerID, name: "kafka-controller", controller: Controller(settings: settings),
                disk: disk))
        for number in 1...brokerCount {
            let id = NodeID(Int32(number))
            nodes.append(
                KafkaNodeHost(
                    self, node: id, name: "kafka-\(number)",
                    broker: Broker(id: id, controller: Self.controllerID, settings: settings), disk: disk))
        }
    }

    /// Names of the broker processes.
    public var brokerNames: [String] { nodes.dropFirst().map { simulation.name(of: $0.process) } }
    public var controllerName: String { simulation.name(of: nodes[0].process) }
    var bootstrap: [NodeID] { nodes.dropFirst().map(\.node) }

    func process(of node: NodeID) -> ProcessID { nodes[Int(node.rawValue)].process }

    /// Looks at a partition from outside, without any message: what is committed from `offset` on, and where that ends.
    ///
    /// While the partition has no leader, or it is down, there is nothing new to see.
    public func committedRecords(
        of name: TopicPartition, from offset: Int64
    ) -> (records: [ConsumerRecord], end: Int64) {
        guard let metadata = nodes[0].controllerMetadata, let id = metadata.partitionID(name),
            let leader = metadata.partition(id)?.leader, leader != .none,
            simulation.state(of: process(of: leader)) == .running
        else { return ([], offset) }
        let (batches, end) = nodes[Int(leader.rawValue)].committedBatches(of: id, from: offset)
        var records: [ConsumerRecord] = []
        for batch in batches {
            guard case .records(let contents) = batch.batch.contents else { continue }
            for index in contents.indices where batch.offset(ofRecord: index) >= offset {
                let piece = FetchedRecords(topicPartition: name, batch: batch, range: index..<index + 1)
                piece.appendRecords(to: &records)
            }
        }
        return (records, end)
    }

    /// Partitions of a topic, as the controller knows them; zero when there is no such topic.
    public func partitionCount(of topic: String) -> Int32 {
        nodes[0].controllerMetadata?.topic(named: topic)?.partitionCount ?? 0
    }

    /// Who leads a partition and who is in sync, by number, as the controller knows it; `nil` when there is no such one.
    package func replicaState(of name: TopicPartition) -> (leader: Int32?, inSync: [Int32])? {
        guard let metadata = nodes[0].controllerMetadata, let id = metadata.partitionID(name),
            let image = metadata.partition(id)
        else { return nil }
        let leader = image.leader == .none ? nil : image.leader.rawValue
        return (leader, image.inSyncReplicas.map(\.rawValue).sorted())
    }

    /// The event log port for the code of one incarnation.
    public func eventLog(_ context: ProcessContext) -> any EventLog { SimulatedEventLog(self, context: context) }
}
