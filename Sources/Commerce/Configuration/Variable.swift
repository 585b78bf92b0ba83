/// A setting that is taken from the environment.
struct Variable: Hashable, Sendable {
    let name: String
    /// What holds when it is not set; empty for none.
    let defaultText: String
    /// What its number counts; empty for a text.
    let unit: String
    let meaning: String
    /// Whether it may hold a password: then it is never printed.
    var isSecret = false

    init(_ name: String, default defaultText: String = "", unit: String = "", _ meaning: String) {
        self.name = name
        self.defaultText = defaultText
        self.unit = unit
        self.meaning = meaning
    }
}

/// Every setting of the program, in the order in which help prints them.
enum Variables {
    // MARK: Servers
    static let kafkaBootstrap = Variable("KAFKA_BOOTSTRAP", "Kafka brokers as host:port, separated by commas")
    static func postgresURL(_ service: String) -> Variable {
        var variable = Variable(
            "POSTGRES_URL_\(service.uppercased())",
            "database of the \(service) service, postgresql://user:password@host:port/database?sslmode=...")
        variable.isSecret = true
        return variable
    }
    static let postgresConnections = Variable(
        "POSTGRES_CONNECTIONS", default: "8", unit: "connections", "the most that a service opens to its database")
    static let sessionTimeout = Variable(
        "KAFKA_SESSION_TIMEOUT_MS", default: "10000", unit: "ms",
        "after how long without a heartbeat others take a consumer's partitions over")
    static let fetchWait = Variable(
        "KAFKA_FETCH_WAIT_MS", default: "10", unit: "ms",
        "how long brokers gather records for a consumer: longer means fewer transactions, and later ones")
    static let relayGather = Variable(
        "RELAY_GATHER_MS", default: "5", unit: "ms",
        "how long the relay waits for further transactions to publish with one")
    static let topicPartitions = Variable(
        "TOPIC_PARTITIONS", default: "3", unit: "partitions", "of a topic that does not exist yet")
    static let topicReplicas = Variable(
        "TOPIC_REPLICATION_FACTOR", default: "1", unit: "replicas", "of a topic that does not exist yet")
    static let topicMinimumInSync = Variable(
        "TOPIC_MIN_INSYNC_REPLICAS", default: "1", unit: "replicas",
        "that must have a record before it counts as written, of a topic that does not exist yet")
    static let startupTimeout = Variable(
        "STARTUP_TIMEOUT_MS", default: "60000", unit: "ms", "how long servers that do not answer are tried at the start"
    )

    // MARK: HTTP
    static let listenHost = Variable("LISTEN_HOST", default: "0.0.0.0", "IPv4 address to listen at")
    static let shopHost = Variable("SHOP_HOST", default: "127.0.0.1", "where the services of a running shop are")
    static func port(_ part: String, _ defaultPort: Int) -> Variable {
        Variable(
            "HTTP_PORT_\(part.uppercased())", default: String(defaultPort), unit: "port",
            "of \(part); with 0 the system chooses, and the log says which")
    }
    static let maximumBody = Variable(
        "HTTP_MAX_BODY_BYTES", default: "65536", unit: "bytes", "the longest request body; above it 413")
    static let maximumHeader = Variable(
        "HTTP_MAX_HEADER_BYTES", default: "16384", unit: "bytes", "request line and headers; above it 431")
    static let maximumConnections = Variable(
        "HTTP_MAX_CONNECTIONS", default: "1024", unit: "connections", "open at once; more wait until one ends")
    static let requestTimeout = Variable(
        "HTTP_REQUEST_TIMEOUT_MS", default: "30000", unit: "ms", "how long a request may take to come in whole")
    static let idleTimeout = Variable(
        "HTTP_IDLE_TIMEOUT_MS", default: "60000", unit: "ms", "how long a connection may stay without a request")
    static let heartbeat = Variable(
        "HTTP_HEARTBEAT_MS", default: "15000", unit: "ms", "between comments on an event stream that has no events")
    static let drainTimeout = Variable(
        "DRAIN_TIMEOUT_MS", default: "10000", unit: "ms", "how long requests may finish after SIGTERM")

    // MARK: The shop
    static let paymentLifetime = Variable(
        "PAYMENT_LIFETIME_MS", default: "60000", unit: "ms", "how long a payment may stay unpaid")
    static let expirySweep = Variable(
        "EXPIRY_SWEEP_MS", default: "15000", unit: "ms", "how often overdue payments are looked for")
    static let dispatchDelay = Variable(
        "DISPATCH_DELAY_MS", default: "2000", unit: "ms", "from the request for a shipment to its dispatch")
    static let deliveryDelay = Variable(
        "DELIVERY_DELAY_MS", default: "3000", unit: "ms", "from dispatch to delivery")
    static let shippingSweep = Variable(
        "SHIPPING_SWEEP_MS", default: "500", unit: "ms", "how often shipments that are due are looked for")
    static let archiveRetention = Variable(
        "ARCHIVE_RETENTION_HOURS", default: "720", unit: "hours", "how long finished orders stay")
    static let seedItems = Variable(
        "SEED_ITEMS", default: "0", unit: "items",
        "of a demonstration catalogue, put into the inventory at the start; 12 where the shop runs on simulated parts")
    static let seedStock = Variable(
        "SEED_STOCK", default: "1000000", unit: "pieces", "of each item of that catalogue")

    static let simulatedLatency = Variable(
        "SIMULATED_LATENCY_MS", default: "0", unit: "ms",
        "of each message between the simulated parts, to see what happens in between; 0 for that of a data centre, 0.1")

    // MARK: The payment provider
    static let gatewayURL = Variable(
        "GATEWAY_URL", default: "http://127.0.0.1:8090", "payment provider, as http://host:port")
    static let paymentURL = Variable(
        "PAYMENT_URL", default: "http://127.0.0.1:8085", "payment service, for the provider's notifications")
    static let gatewayRefusals = Variable(
        "GATEWAY_REFUSAL_PERCENT", default: "0", unit: "percent", "of captures that the built-in provider refuses")

    // MARK: The process
    static let instanceName = Variable(
        "INSTANCE_NAME", default: "1", "tells the instances of one service apart in logs and client ids")
    static let logLevel = Variable("LOG_LEVEL", default: "info", "debug, info, warning or error")
}
