//! Help texts of the commands about models.

use crate::harness::snapshot;
use crate::help::own_part;

#[test]
fn diagnose_tells_what_it_does() {
    snapshot!(own_part("diagnose"), @r"
    Say why something is not as it should be, now; gather what helps to find out

    Usage: mlopsctl diagnose [OPTIONS] [RELEASE]

    Arguments:
      [RELEASE]
              Only this release

    Options:
          --archive <FILE>
              Write objects, events, logs and helm's history to a .tar.gz, without values of Secrets
    ");
}

#[test]
fn verify_tells_what_it_does() {
    snapshot!(own_part("verify"), @r"
    Prove the way from a training run to a prediction, a metric and a log line

    Usage: mlopsctl verify [OPTIONS]

    Options:
          --timeout <SECONDS>
              Seconds that each step may take

              [default: 300]

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --junit <FILE>
              File for the result in JUnit's format

          --keep
              Leave namespace, model and run in place for a look
    ");
}

#[test]
fn pipeline_tells_what_it_does() {
    snapshot!(own_part("pipeline"), @r"
    Run the stack's pipelines and look at them

    Usage: mlopsctl pipeline [OPTIONS] <COMMAND>

    Commands:
      run   Run a pipeline and wait for its end
      list  List the runs, the newest first [alias: ls]
      logs  Write the logs of a run's steps

    Options:
    ");
    snapshot!(own_part("pipeline run"), @r"
    Run a pipeline and wait for its end

    Usage: mlopsctl pipeline run [OPTIONS] [NAME]

    Arguments:
      [NAME]
              The pipeline

              [default: train-register]

    Options:
      -p, --param <KEY=VALUE>
              A parameter of the pipeline; may be repeated

          --no-wait
              Return as soon as the run is in the cluster

          --timeout <SECONDS>
              Seconds to wait for its end

              [default: 3600]
    ");
    snapshot!(own_part("pipeline list"), @r"
    List the runs, the newest first

    Usage: mlopsctl pipeline list [OPTIONS]

    Options:
    ");
    snapshot!(own_part("pipeline logs"), @r"
    Write the logs of a run's steps

    Usage: mlopsctl pipeline logs [OPTIONS] <RUN>

    Arguments:
      <RUN>
              The run, as `pipeline list` names it

    Options:
      -f, --follow
              Go on with new lines until the pods end
    ");
}

#[test]
fn model_tells_what_it_does() {
    snapshot!(own_part("model"), @r"
    List the models of the registry, and say which version is the champion

    Usage: mlopsctl model [OPTIONS] <COMMAND>

    Commands:
      list      List registered models with their versions and aliases [alias: ls]
      promote   Make a version the champion, which the model servers follow
      rollback  Make the champion before this one the champion again

    Options:
    ");
    snapshot!(own_part("model list"), @r"
    List registered models with their versions and aliases

    Usage: mlopsctl model list [OPTIONS] [NAME]

    Arguments:
      [NAME]
              Only this model

    Options:
    ");
    snapshot!(own_part("model promote"), @r"
    Make a version the champion, which the model servers follow

    Usage: mlopsctl model promote [OPTIONS] <NAME> [VERSION]

    Arguments:
      <NAME>
              The registered model

      [VERSION]
              The version; the challenger if not given

    Options:
    ");
    snapshot!(own_part("model rollback"), @r"
    Make the champion before this one the champion again

    Usage: mlopsctl model rollback [OPTIONS] <NAME> [VERSION]

    Arguments:
      <NAME>
              The registered model

      [VERSION]
              The version; the champion before this one if not given

    Options:
    ");
}

#[test]
fn serving_tells_what_it_does() {
    snapshot!(own_part("serving"), @r"
    Deploy the model server and look at what it serves

    Usage: mlopsctl serving [OPTIONS] <COMMAND>

    Commands:
      deploy  Install or upgrade the model server and what it needs, once its model is in the registry
      status  Show what it serves, and what the registry says it should

    Options:
    ");
    snapshot!(own_part("serving deploy"), @r"
    Install or upgrade the model server and what it needs, once its model is in the registry

    Usage: mlopsctl serving deploy [OPTIONS]

    Options:
      -y, --yes
              Answer yes to all questions

          --grace <SECONDS>
              Seconds after which a cause that cannot heal by itself ends a step

              [env: MLOPSCTL_GRACE=]
              [default: 20]

          --parallel <N>
              Releases that helm works on at the same time

              [env: MLOPSCTL_PARALLEL=]
              [default: 8]
    ");
    snapshot!(own_part("serving status"), @r"
    Show what it serves, and what the registry says it should

    Usage: mlopsctl serving status [OPTIONS]

    Options:
    ");
}

#[test]
fn images_tells_what_it_does() {
    snapshot!(own_part("images"), @r"
    Build the images of pipelines and model server, and bring them to the cluster

    Usage: mlopsctl images [OPTIONS] <COMMAND>

    Commands:
      build   Build them with docker, podman, nerdctl or buildah
      push    Push them to the registry in their names
      import  Import them into the containerd of this machine's K3s, where no registry is needed

    Options:
    ");
    snapshot!(own_part("images build"), @r"
    Build them with docker, podman, nerdctl or buildah

    Usage: mlopsctl images build [OPTIONS] [IMAGE]

    Arguments:
      [IMAGE]
              Only this image: pipelines or serving

              [possible values: pipelines, serving]

    Options:
          --engine <ENGINE>
              The engine: docker, podman, nerdctl or buildah; the first one found if not given

              [env: MLOPSCTL_ENGINE=]

          --platform <PLATFORM>
              Platform, such as linux/arm64; that of this machine if not given

          --python-image <IMAGE>
              The image that Python comes from
    ");
    snapshot!(own_part("images push"), @r"
    Push them to the registry in their names

    Usage: mlopsctl images push [OPTIONS] [IMAGE]

    Arguments:
      [IMAGE]
              Only this image: pipelines or serving

              [possible values: pipelines, serving]

    Options:
          --engine <ENGINE>
              The engine: docker, podman, nerdctl or buildah; the first one found if not given

              [env: MLOPSCTL_ENGINE=]
    ");
    snapshot!(own_part("images import"), @r"
    Import them into the containerd of this machine's K3s, where no registry is needed

    Usage: mlopsctl images import [OPTIONS] [IMAGE]

    Arguments:
      [IMAGE]
              Only this image: pipelines or serving

              [possible values: pipelines, serving]

    Options:
          --engine <ENGINE>
              The engine: docker, podman, nerdctl or buildah; the first one found if not given

              [env: MLOPSCTL_ENGINE=]

          --sudo
              Run k3s as root, by sudo
    ");
}
