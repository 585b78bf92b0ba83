import Ports
public import SimCore

/// A guestbook on simulated servers: visitors write over HTTP, entries lie in PostgreSQL, and a Debezium connector publishes
/// each to Kafka, where a reader takes them up.
///
/// The promise: a reader gets every entry whose visitor was told that it is written, in the order of writing. It may get one
/// twice.
public func guestbook(entryCount: Int64 = 20) -> Scenario {
    Scenario("guestbook", summary: "entries over HTTP into PostgreSQL, published to Kafka by Debezium") { simulation in
        let http = SimulatedHTTP(simulation)
        let postgres = SimulatedPostgres(simulation, name: "postgres")
        let kafka = SimulatedKafkaCluster(simulation, brokerCount: 3)
        let seen = ReadEntries()

        let book = simulation.addProcess("guestbook", onError: .restart(after: .seconds(1))) { context in
            let database = SimulatedDatabase(postgres, context: context)
            try await database.migrate(to: Schema(name: "guestbook", version: 1, tables: [GuestbookHandler.entries]))
            try await http.serve(context, GuestbookHandler(database: database))
        }

        var settings = DebeziumSettings(
            connectorName: "guestbook", topicPrefix: "guestbook", slotName: "guestbook",
            tables: [GuestbookHandler.entries])
        settings.topicCreation = .init(partitionCount: 1, replicationFactor: 3)
        let connector = SimulatedDebezium(
            simulation, name: "connect", settings: settings, database: postgres, kafka: kafka, startsWithRun: false)

        let reader = simulation.addProcess("reader", startsWithRun: false, onError: .restart(after: .seconds(1))) {
            context in
            let consumer = try await kafka.eventLog(context).makeConsumer(
                ConsumerSettings(clientID: "reader", groupID: "readers"))
            try await consumer.subscribe(to: ["guestbook.public.entry"], listener: RebalanceListener())
            while true {
                for record in try await consumer.poll(maximumRecords: 100, timeout: .seconds(1)) {
                    seen.add(record.value?.json?["after"]?["number"]?.integerValue)
                }
            }
        }

        simulation.properties.atQuiescence("entries are read in the order of writing") {
            PropertyVerdict(seen.numbers == Array(1...entryCount), "read \(seen.numbers)")
        }

        // A broker may stop uncleanly as long as another replica has all that was acknowledged.
        simulation.faults.spare { !kafka.toleratesUncleanStop(of: $0) }
        let faults = FaultPlan(
            entries: [
                .init("crash", pool: ["guestbook", "connect", "reader", "postgres"]),
                .init("crash", pool: kafka.brokerNames),
                .init("connection-reset", pool: ["guestbook", "postgres"] + kafka.brokerNames),
            ], start: .seconds(10), safetyPhase: .seconds(30), meanGap: .seconds(5))
        return Scenario.Prepared(faultPlan: faults, livenessBound: .minutes(5)) { context in
            var topic = TopicSpecification("guestbook.public.entry", partitionCount: 1, replicationFactor: 3)
            topic.minimumInSyncReplicas = 2
            try await kafka.eventLog(context).administration.createTopic(topic)
            // The table has to exist when the connector starts.
            try await context.sleep(for: .seconds(5))
            connector.start()
            simulation.start(reader)
            let visitor = http.client(context, to: book)
            for number in 1...entryCount {
                while try await !write(number, visitor) { try await context.sleep(for: .milliseconds(200)) }
                try await context.sleep(for: .seconds(1))
            }
            while seen.numbers.count < entryCount { try await context.sleep(for: .seconds(1)) }
        }
    }
}

/// Whether the guestbook says that the entry is written. Without an answer it may be written all the same.
private func write(_ number: Int64, _ visitor: any HTTPClient) async throws -> Bool {
    let request = HTTPRequest(.post, "/entries", body: .json(["number": .integer(number)]))
    do {
        return try await visitor.send(request, timeout: .seconds(5)).status == 201
    } catch is HTTPError {
        return false
    }
}

/// The guestbook's HTTP interface. An entry that is sent again is the same entry.
struct GuestbookHandler: HTTPHandler {
    static let entries = Table("entry", columns: [.column("number", .int64)], primaryKey: ["number"])

    let database: any Database

    func respond(to request: HTTPRequest) async -> HTTPResponse {
        guard request.method == .post, request.path == "/entries",
            let number = request.body?.json?["number"]?.integerValue
        else { return HTTPResponse(404) }
        let insert = Insert(into: Self.entries, rows: [[.int64(number)]], onConflict: .doNothing(key: nil))
        do {
            _ = try await database.executeAtomically([.insert(insert)])
            return HTTPResponse(201)
        } catch {
            return HTTPResponse(503)
        }
    }
}

/// What the reader has got, each once; it outlives the reader's crashes. Touched on the simulation's thread only.
private final class ReadEntries: @unchecked Sendable {
    private(set) var numbers: [Int64] = []

    func add(_ number: Int64?) {
        if let number, !numbers.contains(number) { numbers.append(number) }
    }
}
