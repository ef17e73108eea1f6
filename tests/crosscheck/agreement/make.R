# Counterparts of spineclock.stats.agreement: reads data.csv, writes r.json. Run in this folder.
suppressMessages({library(jsonlite); library(psych); library(lme4)})
d <- read.csv("data.csv")

iccs <- function(x) {
  found <- psych::ICC(x, lmer = FALSE)$results[1:3, ]
  list(value = found$ICC, low = found[["lower bound"]], high = found[["upper bound"]], f = found$F, df1 = found$df1,
       df2 = found$df2, p = found$p)
}

within <- function(x) {
  long <- data.frame(gap = unlist(x), person = rep(seq_len(nrow(x)), ncol(x)))
  fit <- lmer(gap ~ 1 + (1 | person), long,
              control = lmerControl(optCtrl = list(maxfun = 1e5, xtol_abs = 1e-12, ftol_abs = 1e-14)))
  parts <- anova(lm(gap ~ factor(person), long))
  df <- parts$Df[2]
  sd <- sqrt(parts$`Mean Sq`[2])
  # REML's parts are those of the analysis of variance in a balanced table
  low <- sd * sqrt(df / qchisq(.975, df))
  high <- sd * sqrt(df / qchisq(.025, df))
  times <- sqrt(2) * qnorm(.975)
  list(sd = sd, low = low, high = high, change_sd = times * sd, change_low = times * low, change_high = times * high,
       lmer_sd = sigma(fit), lmer_icc = unname(VarCorr(fit)$person[1]) / (unname(VarCorr(fit)$person[1]) + sigma(fit)^2))
}

# Limits of agreement with Carkeet's exact intervals, and Bland and Altman's 1999 approximate standard error
limits <- function(a, b) {
  x <- b - a
  n <- length(x)
  t <- t.test(x)
  z <- qnorm(.975)
  e <- sd(x) / sqrt(n)
  far <- qt(c(.025, .975), n - 1, ncp = z * sqrt(n)) * e
  list(bias = unname(t$estimate), low = t$conf.int[1], high = t$conf.int[2], p = t$p.value,
       upper = mean(x) + z * sd(x), upper_low = mean(x) + far[1], upper_high = mean(x) + far[2],
       lower = mean(x) - z * sd(x), lower_low = mean(x) - far[2], lower_high = mean(x) - far[1])
}

groups <- list(all = d, F = d[d$sex == "F", ], M = d[d$sex == "M", ])
two <- c("gap_1", "gap_2")
out <- lapply(groups, function(g) list(icc = iccs(g[, two]), within = within(g[, two]), limits = limits(g$gap_1, g$gap_2)))
out$three <- list(icc = iccs(d[, c(two, "gap_3")]), within = within(d[, c(two, "gap_3")]))
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "r.json")
