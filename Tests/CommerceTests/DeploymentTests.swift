import Foundation
import Outbox
import Ports
import Testing

@testable import commerce

/// Keeps what stands in `deploy/` true to what the program and its schema declare.
@Suite struct DeploymentTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("deploy")

    private static func connector(_ service: String) throws -> [String: String] {
        let data = try Data(contentsOf: folder.appendingPathComponent("connectors/\(service).json"))
        return try JSONDecoder().decode([String: String].self, from: data)
    }

    private static func composeFile() throws -> ComposeFile {
        ComposeFile(try String(contentsOf: folder.appendingPathComponent("docker-compose.yml"), encoding: .utf8))
    }

    // MARK: Connectors

    @Test("There is one connector for the database of each service")
    func oneConnectorForEachDatabase() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path + "/connectors")
        let names = files.filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }
        #expect(names.sorted() == ShopComposition.serviceNames.sorted())
    }

    @Test(
        "A connector routes the columns and to the topics that the outbox declares",
        arguments: ShopComposition.serviceNames)
    func routing(service: String) throws {
        let connector = try Self.connector(service)
        let router = { (key: String) in connector["transforms.outbox." + key] }
        #expect(router("route.topic.replacement") == OutboxTable.topicPrefix + "${routedByValue}")
        #expect(router("route.by.field") == OutboxTable.aggregateType.name)
        #expect(router("table.field.event.id") == OutboxTable.id.name)
        #expect(router("table.field.event.key") == OutboxTable.aggregateID.name)
        #expect(router("table.field.event.payload") == OutboxTable.payload.name)
        #expect(router("table.fields.additional.placement") == OutboxTable.debeziumFieldPlacement)
        #expect(
            connector["table.include.list"] == "public.\(OutboxTable.table.name),public.\(RelayTable.table.name)")
        #expect(connector["predicates.isOutbox.pattern"] == "\(service)\\.public\\.\(OutboxTable.table.name)")
        #expect(connector["predicates.isRelayTable.pattern"] == "\(service)\\.public\\.\(RelayTable.table.name)")
        #expect(connector["topic.prefix"] == service)
    }

    @Test("A snapshot keeps the order of each aggregate's events", arguments: ShopComposition.serviceNames)
    func snapshotOrder(service: String) throws {
        let statement = try Self.connector(service)["snapshot.select.statement.overrides.public.outbox"]
        #expect(
            statement == "SELECT * FROM public.\(OutboxTable.table.name) ORDER BY \(OutboxTable.aggregateID.name), "
                + OutboxTable.aggregateVersion.name)
    }

    @Test(
        "A connector's heartbeat writes every column of the relay's table that must have a value",
        arguments: ShopComposition.serviceNames)
    func heartbeat(service: String) throws {
        let connector = try Self.connector(service)
        let columns = RelayTable.table.columns.filter { !$0.isNullable }.map(\.name).joined(separator: ", ")
        let query = try #require(connector["heartbeat.action.query"])
        #expect(
            query.hasPrefix("INSERT INTO public.\(RelayTable.table.name) (\(columns)) VALUES ('\(service)_debezium', "))
        #expect(query.contains("ON CONFLICT (\(RelayTable.slotName.name)) DO UPDATE"))
        #expect(connector["slot.name"] == "\(service)_debezium")
    }

    @Test(
        "A connector reaches the database that compose runs, and its password is a secret that it mounts",
        arguments: ShopComposition.serviceNames)
    func reach(service: String) throws {
        let compose = try Self.composeFile()
        let connector = try Self.connector(service)
        #expect(compose.services.keys.contains(try #require(connector["database.hostname"])))
        #expect(connector["database.password"] == "${directory:/run/secrets:\(service)_password}")
        #expect(compose.text(of: "connect").contains("\(service)_password"))
    }

    // MARK: Compose

    private static let parts =
        ShopComposition.services.map { ($0.name, $0.defaultPort) } + [("gateway", 8_090), ("cdc", 8_091)]

    @Test("Compose sets no variable that the program does not know", arguments: parts.map(\.0))
    func variables(part: String) throws {
        let set = try Self.composeFile().environment(of: part)
        #expect(!set.isEmpty)
        let known = Set(Help.variables(part).map(\.name))
        for name in set {
            let plain = name.hasSuffix("_FILE") ? String(name.dropLast(5)) : name
            #expect(known.contains(plain), "\(part): \(name)")
        }
    }

    @Test("Each part has its own port, published, and asked for its health", arguments: parts)
    func ports(part: String, port: Int) throws {
        let text = try Self.composeFile().text(of: part)
        #expect(text.contains(":\(port):\(port)\"]"))
        #expect(text.contains("[\"CMD\", \"http-ok\", \"\(port)\", \"/health/ready\"]"))
        #expect(text.contains("command: [\(part)]"))
    }

    @Test("The pages of Kafka and Debezium are at 8092 and 8089")
    func pages() throws {
        let compose = try Self.composeFile()
        #expect(compose.text(of: "kafka-ui").contains(":8092:8080"))
        #expect(compose.text(of: "debezium-ui").contains(":8089:8080"))
    }

    @Test("Databases and brokers keep what they hold in volumes")
    func volumes() throws {
        let compose = try Self.composeFile()
        for service in ShopComposition.serviceNames {
            #expect(compose.text(of: "postgres-\(service)").contains("postgres-\(service):/var/lib/postgresql\"]"))
        }
        for broker in 1...3 {
            #expect(compose.text(of: "kafka-\(broker)").contains("kafka-\(broker):/var/lib/kafka/data\"]"))
        }
    }

    @Test("The relay and Debezium publish the same outboxes, and never both")
    func profiles() throws {
        let compose = try Self.composeFile()
        #expect(compose.text(of: "cdc").contains("profiles: [relay]"))
        #expect(compose.text(of: "connect").contains("profiles: [debezium]"))
        #expect(compose.text(of: "connectors").contains("profiles: [debezium]"))
        let environment = try String(contentsOf: Self.folder.appendingPathComponent(".env"), encoding: .utf8)
        #expect(environment.contains("\nCOMPOSE_PROFILES=debezium\n"))
        for service in ShopComposition.serviceNames {
            #expect(compose.environment(of: "cdc").contains("POSTGRES_URL_\(service.uppercased())_FILE"))
        }
    }

    // MARK: Scripts

    @Test("Secrets are made once: a database keeps the password that it was made with")
    func secrets() throws {
        let folder = NSTemporaryDirectory() + "secrets-\(ProcessInfo.processInfo.globallyUniqueString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func make() throws -> [String: String] {
            let process = Process()
            process.executableURL = Self.folder.appendingPathComponent("create-secrets")
            process.arguments = [folder]
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            var contents: [String: String] = [:]
            for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
                contents[name] = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
            }
            return contents
        }
        let first = try make()
        #expect(try make() == first)
        #expect(first.count == 11)
        let password = try #require(first["order.password"])
        #expect(password.count == 48)
        #expect(first["order.url"] == "postgresql://shop:\(password)@postgres-order:5432/shop")
        #expect(first["payment.password"] != password)
        // Every secret of the compose file is one of them.
        for line in try Self.composeFile().lines where line.contains("file: ./secrets/") {
            let file = line.split(separator: "/").last?.prefix { $0 != " " } ?? ""
            #expect(first.keys.contains(String(file)))
        }
    }
}

/// The compose file, as far as these tests look at it: `compose-check` reads it whole.
struct ComposeFile {
    let lines: [Substring]
    /// The lines of each service.
    private(set) var services: [String: [Substring]] = [:]
    /// The lines of each `x-` block, by its anchor.
    private var blocks: [String: [Substring]] = [:]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var section = ""
        var service = ""
        for line in lines where !line.allSatisfy({ $0 == " " }) && !line.drop(while: { $0 == " " }).hasPrefix("#") {
            if !line.hasPrefix(" ") {
                section = line.split(separator: "&").dropFirst().last.map(String.init) ?? String(line.dropLast())
            } else if section == "services", line.hasPrefix("  "), !line.hasPrefix("   ") {
                service = String(line.dropFirst(2).prefix { $0 != ":" })
            } else if section == "services" {
                services[service, default: []].append(line)
            } else {
                blocks[section, default: []].append(line)
            }
        }
    }

    func text(of service: String) -> String { (services[service] ?? []).joined(separator: "\n") }

    /// Names of the variables that a service's environment sets, those of the block that it takes over included.
    func environment(of service: String) -> [String] {
        let lines = (services[service] ?? []).drop { $0 != "    environment:" }.dropFirst()
            .prefix { $0.hasPrefix("      ") }
        return lines.flatMap { line -> [String] in
            let text = line.drop { $0 == " " }
            guard text.hasPrefix("<<: *") else { return [Self.key(text)] }
            return (blocks[String(text.dropFirst(5))] ?? []).map { Self.key($0.drop { $0 == " " }) }
        }
    }

    private static func key(_ line: Substring) -> String { String(line.prefix { $0 != ":" }) }
}
