package main

import (
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// prefix is the registry and folder of all names. No image here has the name of one that somebody publishes.
const prefix = "localhost/mlopsctl-test/"

// image is one that the pods of a real node run.
type image struct {
	name   string // below prefix, with its tag
	layers []layer
	config v1.Config
	// part of mlops.yaml that names it, as a path of keys; empty for what the cluster itself runs
	setting string
}

// path of a program that comes from Debian or from a Go module.
const systemPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// What both Containerfiles of images/ set.
var appEnv = []string{
	"PATH=/" + app + "/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/tmp",
	"LANG=C.UTF-8",
	"PYTHONUNBUFFERED=1",
	"PYTHONDONTWRITEBYTECODE=1",
	"MLFLOW_DISABLE_TELEMETRY=true",
	"DO_NOT_TRACK=1",
}

// catalog lists all images, those first that the cluster itself needs. programs are files of built Go programs by name; sources
// is the project's folder images/.
func catalog(programs map[string]string, sources string) []image {
	base := users{}
	shell := debian{names: []string{"coreutils", "dash", "grep", "libc-bin", "libstdc++6", "sed"}, without: []string{"dpkg", "tar", "debconf", "perl-base", "libdb5.3"}}
	python := debian{names: []string{"python3"}, below: shell.names, without: []string{"dpkg", "tar", "libdb5.3", "readline-common"}}
	postgres := debian{
		names: []string{"postgresql-15", "tzdata"}, below: shell.names,
		// Scripts of package management, and the compiler of queries, which is larger than all the rest. Its own library goes too:
		// the server does without when that is missing.
		without: []string{
			"adduser", "debconf", "dpkg", "init-system-helpers", "libfile-find-rule-perl", "libgdbm-compat4", "libgdbm6", "libjson-perl",
			"libllvm14", "libnumber-compare-perl", "libperl5.36", "libtext-glob-perl", "libz3-4", "locales", "openssl", "passwd", "perl",
			"perl-base", "perl-modules-5.36", "postgresql-client-common", "postgresql-common", "ssl-cert", "tar", "ucf", "usrmerge",
		},
		files: []string{"usr/lib/postgresql/15/lib/bitcode/", "usr/lib/postgresql/15/lib/llvmjit"},
	}
	program := func(names ...string) programLayer {
		files := map[string]string{}
		for _, name := range names {
			files["usr/bin/"+name] = programs[name]
		}
		return programLayer{files}
	}
	alone := func(name, tag string) image {
		return image{name: name + ":" + tag, layers: []layer{base, program(name)}, config: v1.Config{Entrypoint: []string{"/usr/bin/" + name}, Env: []string{systemPath}}}
	}
	own := func(name, folder, setting, command string, environment ...string) image {
		dir := sources + "/" + folder
		return image{
			name: name, setting: setting,
			layers: []layer{base, shell, python, locked{dir + "/requirements.lock"}, ownPackage{dir, dir + "/requirements-build.lock"}},
			config: v1.Config{Entrypoint: []string{command}, Env: append(append([]string{}, appEnv...), environment...), WorkingDir: "/tmp", User: "1000:1000"},
		}
	}
	pipelines := own("pipelines:0.1.0", "pipelines", "images.pipelines", "mlops-pipelines")
	pipelines.config.Cmd = []string{"--help"}
	return []image{
		alone("pause", "1"),
		{name: "base:12", layers: []layer{base, shell}, config: v1.Config{Cmd: []string{"/bin/sh"}, Env: []string{systemPath}}},
		alone("coredns", "1"),
		alone("local-path-provisioner", "1"),
		alone("workflow-controller", "4.0.2"),
		alone("argoexec", "4.0.2"),
		{
			name: "postgres:15", setting: "values.pg.image",
			layers: []layer{base, shell, postgres, textLayer{map[string]string{"usr/bin/docker-entrypoint.sh": postgresEntry}}},
			config: v1.Config{
				Entrypoint: []string{"/usr/bin/docker-entrypoint.sh"}, Cmd: []string{"postgres"}, User: "999:999", StopSignal: "SIGINT",
				Env: []string{"PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "PGDATA=/var/lib/postgresql/15/docker"},
			},
		},
		{
			name: "minio:1", setting: "values.minio.image",
			layers: []layer{base, shell, program("minio", "mc")},
			config: v1.Config{Entrypoint: []string{"/usr/bin/minio"}, Env: []string{systemPath}},
		},
		{
			name: "mlflow:3.17.2", setting: "images.mlflow",
			layers: []layer{base, shell, python, lockedText{"mlflow", mlflowLock}},
			config: v1.Config{Cmd: []string{"mlflow", "--version"}, Env: appEnv, WorkingDir: "/tmp"},
		},
		pipelines,
		own("serving:0.1.0", "serving-fastapi", "images.serving", "mlops-serving", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"),
		{
			name:   "prometheus:3",
			layers: []layer{base, shell, debian{names: []string{"prometheus-pushgateway"}, only: true, files: []string{"etc/", "lib/", "usr/share/"}}, program("prometheus")},
			config: v1.Config{Entrypoint: []string{"/usr/bin/prometheus"}, Env: []string{systemPath}, User: "65534:65534"},
		},
	}
}
