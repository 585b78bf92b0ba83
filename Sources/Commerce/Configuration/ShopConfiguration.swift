import AdapterHTTP
import Domain
import Outbox
import Ports

/// The settings that every command shares, read from the environment at once: what is wrong is said before anything starts.
struct ShopConfiguration: Sendable {
    var shop = ShopSettings()
    var host: String
    var http: HTTPServerSettings
    var drainTimeout: Nanoseconds
    var logLevel: LogLevel
    var catalogue: [InventorySeed]
    var gatewayRefusalPercent: Int
    /// `nil` for that of a data centre.
    var simulatedLatency: Nanoseconds?

    /// - Parameter defaultSeedItems: how many items of the demonstration catalogue there are when nobody says.
    init(_ environment: Environment, defaultSeedItems: Int = 0) throws(ConfigurationError) {
        shop.instanceName = try environment.text(Variables.instanceName)
        shop.paymentLifetime = try environment.milliseconds(Variables.paymentLifetime)
        shop.expirySweepInterval = try environment.milliseconds(Variables.expirySweep)
        shop.dispatchDelay = try environment.milliseconds(Variables.dispatchDelay)
        shop.deliveryDelay = try environment.milliseconds(Variables.deliveryDelay)
        shop.shippingSweepInterval = try environment.milliseconds(Variables.shippingSweep)
        // Kafka's own 45 s are what a crash of a service would cost its customers.
        shop.consumerLoop.consumer.sessionTimeout = try environment.milliseconds(Variables.sessionTimeout)
        shop.archiveRetention = .hours(Int64(try environment.integer(Variables.archiveRetention, in: 1...876_000)))
        host = try environment.text(Variables.listenHost)
        http = HTTPServerSettings(port: 0)
        http.host = host
        http.limits.maximumBodyByteCount = try environment.integer(Variables.maximumBody, in: 1_024...16_777_216)
        http.limits.maximumHeaderByteCount = try environment.integer(Variables.maximumHeader, in: 1_024...1_048_576)
        http.connectionLimit = try environment.integer(Variables.maximumConnections, in: 1...1_000_000)
        http.requestTimeout = try environment.milliseconds(Variables.requestTimeout)
        http.idleTimeout = try environment.milliseconds(Variables.idleTimeout)
        http.heartbeatInterval = try environment.milliseconds(Variables.heartbeat)
        shop.maximumBodyByteCount = http.limits.maximumBodyByteCount
        drainTimeout = try environment.milliseconds(Variables.drainTimeout)
        logLevel = try environment.logLevel()
        gatewayRefusalPercent = try environment.integer(Variables.gatewayRefusals, in: 0...100)
        let latency = try environment.integer(Variables.simulatedLatency, in: 0...1_000)
        simulatedLatency = latency == 0 ? nil : .milliseconds(Int64(latency))
        let itemCount =
            try environment.given(Variables.seedItems) == nil
            ? defaultSeedItems : try environment.integer(Variables.seedItems, in: 0...DemonstrationCatalogue.limit)
        let stock = try environment.integer(Variables.seedStock, in: 0...1_000_000_000)
        catalogue = DemonstrationCatalogue.items(count: itemCount, stock: Int64(stock))
    }

    /// The HTTP settings of one part of the shop.
    func http(of part: String, defaultPort: Int, _ environment: Environment) throws(ConfigurationError)
        -> HTTPServerSettings
    {
        var settings = http
        settings.port = UInt16(try environment.integer(Variables.port(part, defaultPort), in: 0...65_535))
        return settings
    }

    /// Refuses one port for two parts, which nobody else has taken. Any number of them may let the system choose (0).
    func refuseSharedPorts(_ environment: Environment) throws(ConfigurationError) {
        var variables = ShopComposition.services.map { Variables.port($0.name, $0.defaultPort) }
        variables.append(Variables.port("gateway", EmbeddedCommand.gatewayPort))
        var owners: [Int: Variable] = [:]
        for variable in variables {
            let port = try environment.integer(variable, in: 0...65_535)
            if port != 0, let owner = owners[port] {
                throw ConfigurationError(
                    variable: variable.name, problem: "is \(port), and so is \(owner.name); expected a port of its own")
            }
            owners[port] = variable
        }
    }
}

/// Items for a shop that has none: the same ids and prices wherever they are put, so that two services that both put them in
/// put them in once.
enum DemonstrationCatalogue {
    static let limit = 10_000

    private static let names = [
        "Kind of Blue", "Blue Train", "Abbey Road", "Pet Sounds", "Rumours", "Blue", "Horses", "Graceland", "Mezzanine",
        "Dummy", "Homogenic", "Kid A",
    ]

    static func items(count: Int, stock: Int64) -> [InventorySeed] {
        (0..<count).map { number in
            let name = names[number % names.count]
            return InventorySeed(
                id: UniqueID(randomHigh: 0xC0FF_EE00_0000_0000, randomLow: UInt64(number + 1)),
                name: number < names.count ? name : "\(name), volume \(number / names.count + 1)",
                unitPrice: 999 + Int64(number % 10) * 100, quantity: stock)
        }
    }
}
