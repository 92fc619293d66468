// swift-tools-version: 6.1
import PackageDescription

/// One house, nine floors: an edge points to a lower floor only, and `Tests/PackageTests` asserts it.
let package = Package(
  name: "graft",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "graft", targets: ["graft"]),
    .library(name: "Graft", targets: ["Graft"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/onevcat/Rainbow", from: "4.2.2"),
  ],
  targets: [
    // L0: C kernels, system libraries, JSON, files
    .target(name: "CKernels"),
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "GraftJSON"),
    .target(name: "GraftFiles"),

    // L1: values
    .target(name: "GraftTensors", dependencies: ["CKernels", "COpenBLAS"]),
    .target(name: "GraftBatching"),
    .target(name: "GraftTokenizers", dependencies: ["GraftFiles", "GraftJSON"]),
    .target(name: "GraftConfiguration", dependencies: ["GraftJSON"]),

    // L2: building blocks
    .target(name: "GraftLayers", dependencies: ["GraftTensors", "GraftBatching"]),
    .target(name: "GraftOptimizers", dependencies: ["GraftTensors", "CKernels"]),
    .target(
      name: "GraftDatasets",
      dependencies: ["GraftBatching", "GraftTokenizers", "GraftConfiguration", "GraftFiles", "GraftJSON"]),

    // L3: files and training
    .target(
      name: "GraftCheckpoints",
      dependencies: [
        "CHDF5", "CLibCrypto", "CZlib", "GraftFiles", "GraftJSON", "GraftTensors", "GraftLayers", "GraftConfiguration", "GraftTokenizers",
      ]),
    .target(name: "GraftTraining", dependencies: ["GraftLayers", "GraftOptimizers", "GraftBatching"]),

    // L4: what users combine
    .target(
      name: "GraftAdapters",
      dependencies: ["GraftTokenizers", "GraftLayers", "GraftCheckpoints", "GraftConfiguration", "GraftJSON"]),
    .target(
      name: "GraftModels",
      dependencies: ["GraftLayers", "GraftCheckpoints", "GraftConfiguration", "GraftJSON", "GraftBatching", "GraftTensors"]),
    .target(name: "GraftGeneration", dependencies: ["GraftLayers"]),

    // L5: recipes and reports
    .target(
      name: "GraftRecipes",
      dependencies: [
        "GraftAdapters", "GraftDatasets", "GraftOptimizers", "GraftLayers", "GraftTensors", "GraftBatching", "GraftConfiguration",
        "GraftFiles", "GraftJSON",
        .product(name: "Yams", package: "Yams"),
      ]),
    .target(name: "GraftReports", dependencies: ["GraftFiles"]),

    // L6: assembly
    .target(
      name: "GraftSessions",
      dependencies: [
        "GraftRecipes", "GraftReports", "GraftAdapters", "GraftModels", "GraftGeneration", "GraftTraining", "GraftDatasets", "GraftCheckpoints",
        "GraftTokenizers", "GraftConfiguration", "GraftOptimizers", "GraftFiles", "GraftJSON", "GraftTensors", "GraftLayers", "GraftBatching",
      ]),

    // L7: comparisons
    .target(
      name: "GraftComparison",
      dependencies: [
        "GraftSessions", "GraftRecipes", "GraftReports", "GraftAdapters", "GraftTraining", "GraftDatasets", "GraftCheckpoints",
        "GraftConfiguration", "GraftFiles", "GraftJSON", "GraftTensors", "GraftLayers", "GraftBatching",
      ]),

    // L8: the library and the command line
    .target(
      name: "Graft",
      dependencies: ["GraftComparison", "GraftSessions", "GraftRecipes", "GraftReports"],
      path: "Sources/GraftUmbrella"),
    .executableTarget(
      name: "graft",
      dependencies: [
        "GraftFiles", "GraftComparison", "GraftSessions", "GraftRecipes", "GraftReports",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Rainbow", package: "Rainbow"),
      ]),

    // Tests
    .target(name: "FuzzSupport", dependencies: ["GraftJSON"], path: "Tests/FuzzSupport"),
    .testTarget(name: "GraftJSONTests", dependencies: ["GraftJSON", "FuzzSupport"]),
    .testTarget(name: "GraftFilesTests", dependencies: ["GraftFiles"]),
    .testTarget(name: "GraftTensorsTests", dependencies: ["GraftTensors", "GraftJSON"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftBatchingTests", dependencies: ["GraftBatching"]),
    .testTarget(
      name: "GraftTokenizersTests", dependencies: ["GraftTokenizers", "GraftJSON", "FuzzSupport"], exclude: ["Fixtures", "ChatTemplates/Fixtures"]),
    .testTarget(name: "GraftConfigurationTests", dependencies: ["GraftConfiguration"]),
    .testTarget(name: "GraftDatasetsTests", dependencies: ["GraftDatasets", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftCheckpointsTests", dependencies: ["GraftCheckpoints", "FuzzSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "GraftOptimizersTests", dependencies: ["GraftOptimizers", "GraftTensors", "GraftJSON"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftModelsTests",
      dependencies: [
        "GraftModels", "GraftBatching", "GraftCheckpoints", "GraftJSON", "GraftLayers", "GraftOptimizers", "GraftTensors", "GraftTraining",
      ],
      exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftAdaptersTests", dependencies: ["GraftAdapters", "GraftModels", "GraftGeneration", "GraftOptimizers"],
      exclude: ["Fixtures"]),
    .testTarget(name: "GraftLayersTests", dependencies: ["GraftLayers", "GraftBatching", "GraftTensors"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftTrainingTests",
      dependencies: ["GraftTraining", "GraftOptimizers", "GraftLayers", "GraftBatching", "GraftTensors"], exclude: ["Fixtures"]),
    .testTarget(
      name: "GraftGenerationTests", dependencies: ["GraftGeneration", "GraftModels", "GraftLayers", "GraftTensors", "GraftJSON"],
      exclude: ["Fixtures"]),
    .testTarget(name: "PackageTests", dependencies: ["GraftJSON"]),
    .testTarget(name: "CommandLineTests", dependencies: ["graft", "GraftCheckpoints", "GraftJSON", "GraftTensors"]),
    .testTarget(
      name: "GraftRecipesTests",
      dependencies: ["GraftRecipes", "GraftAdapters", "GraftBatching", "GraftConfiguration", "GraftDatasets", "GraftModels", "FuzzSupport"],
      exclude: ["Fixtures"]),
    .testTarget(name: "GraftReportsTests", dependencies: ["GraftReports"]),
    .testTarget(
      name: "GraftSessionsTests",
      dependencies: [
        "GraftSessions", "GraftRecipes", "GraftAdapters", "GraftModels", "GraftGeneration", "GraftTraining", "GraftCheckpoints", "GraftOptimizers",
        "GraftLayers", "GraftBatching", "GraftTensors", "GraftJSON",
      ], exclude: ["Fixtures"]),
    .testTarget(name: "GraftComparisonTests", dependencies: ["GraftComparison", "GraftBatching"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c17
)

// Scripts/fuzz/all builds it under libFuzzer.
if Context.environment["GRAFT_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzReaders", dependencies: ["GraftCheckpoints", "GraftDatasets", "GraftTokenizers", "GraftJSON"], path: "Scripts/fuzz",
      exclude: ["all", "corpus"]))
}
