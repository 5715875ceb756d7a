# The helpers of the rules that read and prepare data: which set, which split, which files.
def get_training(kind, run):
    """The drawn training questions of a run (`samples`), or their `images`; equal draws are one."""
    own, count = RUNS[run].data, RUNS[run].train.drawn_samples
    draw = f"{own}-{count or 'all'}" if own else count
    return f"{OUT}/{kind}/training_{draw}.parquet"


def get_training_samples(wildcards):
    """The training questions of a run."""
    return get_training("samples", wildcards.run)


def get_images(wildcards):
    """The folder of the resized images that a run's policy sees: one a size."""
    return f"images_{RUNS[wildcards.run].policy.image_size}"


def get_training_images(wildcards):
    """The resized images of a run's training questions."""
    return get_training(get_images(wildcards), wildcards.run)


def get_samples(benchmarks):
    """The samples of `benchmarks`."""
    return [f"{OUT}/samples/{benchmark}.parquet" for benchmark in benchmarks]


def get_source(samples):
    """What a table of samples is read from: a benchmark's split, or the training pool's."""
    pool = samples == "pool"
    return EXPERIMENT.data.training if pool else EXPERIMENT.benchmarks[samples]


def get_samples_stage(samples):
    """What a table of samples depends on. A subset of a split is its folder's, so that another
    folder may hold another; a split that is counted is the same in all."""
    data, source = EXPERIMENT.data, get_source(samples)
    return SamplesStage(
        source=source.model_copy(update={"label": None}),
        layout=data.layout,
        on_bad_sample=data.on_bad_sample,
        root=None if data.check_counts else data.root,
    )


def get_mirror(samples):
    """The mirror that a table of samples is read from; None where it is read from the files."""
    return get_source(samples).mirror if EXPERIMENT.data.layout == "mirror" else None


def get_indexed(*datasets):
    """The tables of samples that are read from the files of `datasets`."""
    return [
        name
        for name in ("pool", *EXPERIMENT.benchmarks)
        if get_source(name).dataset in datasets and not get_mirror(name)
    ]


def find_root(own):
    """The data root: that of data of one's own; else the drawn world, or the public sets' folder."""
    return OWN[own].root if own else EXPERIMENT.data.root or WORLD


def find_own(wildcards):
    """The data of one's own whose samples a job reads; None where they are of the public sets."""
    names = (wildcards.get(name) for name in ("samples", "asked", "benchmark"))
    samples = next(filter(None, names), None)
    if samples is None:
        return RUNS[wildcards.run].data if "run" in wildcards.keys() else None
    names = get_names(OWN)
    found = re.fullmatch(rf"({names})(?:-train)?|training_({names})-\w+", samples)
    return found and (found[1] or found[2])


def get_root(wildcards):
    """The data root of what a job reads."""
    return find_root(find_own(wildcards))


def get_world(wildcards):
    """The drawn world, for a job that reads its originals."""
    return [] if find_own(wildcards) else DRAWN_WORLD


def get_pool(wildcards):
    """What training questions are drawn from."""
    own, _, _ = wildcards.draw.rpartition("-")
    return f"{OUT}/samples/{f'{own}-train' if own else 'pool'}.parquet"


def get_left_out(wildcards):
    """The samples whose images are left out of the draw: of one's own data the test part, which so
    is there before anything is trained."""
    own, _, _ = wildcards.draw.rpartition("-")
    if own:
        return get_samples([own])
    leave_out = EXPERIMENT.data.training.leave_out_benchmark_images
    return get_samples(EXPERIMENT.benchmarks) if leave_out else []


def get_count(wildcards):
    """How many training questions are drawn, as an option; none draws all."""
    _, _, count = wildcards.draw.rpartition("-")
    return "" if count == "all" else f"--count {count}"


def get_fetched(samples):
    """The records of the fetched data sets that `samples` are read from."""
    if mirror := get_mirror(samples):
        return [f"{OUT}/fetched/{'--'.join(Path(mirror).parts)}.json"]
    dataset = get_source(samples).dataset
    refer = dataset.startswith("refcoco")
    own = "reasonseg" if dataset == "lisa_grounding" else dataset  # the same files
    names = [own, "train2014"] if refer else [own]
    return [f"{OUT}/fetched/{name}.json" for name in names]


def get_data(wildcards):
    """What is there before samples are indexed: the drawn world, or the fetched data sets."""
    # Data is never "new" because somebody looked again whether it is there.
    return DRAWN_WORLD or [ancient(path) for path in get_fetched(wildcards.samples)]


def get_all_fetched(wildcards):
    """The records of all data sets that the training pool and the benchmarks are read from."""
    if EXPERIMENT.data.world:
        raise WorkflowError(
            f"scale={WORKFLOW.scale} draws its data and fetches none; add --config scale=paper."
        )
    return sorted(
        {path for one in ["pool", *EXPERIMENT.benchmarks] for path in get_fetched(one)}
    )


def get_reasonseg_options(wildcards):
    """What to read of ReasonSeg's files: a benchmark's data set and split."""
    one = get_source(wildcards.samples)
    return f"--dataset {one.dataset} --split {one.split}"


def get_refer_options(wildcards):
    """What to read of a RefCOCO set: a benchmark's split, or all sentences of the training pool."""
    one = get_source(wildcards.samples)
    sentences = "all" if wildcards.samples == "pool" else one.sentences
    return (
        f"--dataset {one.dataset} --split-by {one.split_by} --split {one.split} "
        f"--sentences {sentences}"
    )


def get_mirror_options(wildcards):
    """Which mirror to read, and what it holds."""
    one = get_source(wildcards.samples)
    held = get_reasonseg_options if one.dataset == "reasonseg" else get_refer_options
    return f"--mirror {one.mirror} {held(wildcards)}"


def get_mirror_images(wildcards):
    """The unpacked images of a mirror."""
    owner, name = Path(get_mirror(wildcards.samples)).parts
    return f"{MIRROR_IMAGES}/{owner}--{name}"


def get_instances(wildcards):
    """The file with all annotated objects of a benchmark's images."""
    one = EXPERIMENT.benchmarks[wildcards.samples]
    of_world = f"ReasonSeg/instances_{one.split}.json"
    file = of_world if one.dataset == "reasonseg" else f"{one.dataset}/instances.json"
    return f"{get_root(wildcards)}/{file}"


def get_objects(benchmarks):
    """The objects of those of `benchmarks` whose images are annotated whole: the RefCOCO family's,
    and in the drawn world ReasonSeg's. Mirrors have the objects asked about alone, and so does data
    of one's own."""
    whole = ("refcoco", "refcoco+", "refcocog", *(["reasonseg"] if DRAWN_WORLD else []))
    return [
        f"{OUT}/objects/{name}.parquet"
        for name in benchmarks
        if name not in OWN
        and get_source(name).dataset in whole
        and not get_mirror(name)
    ]
